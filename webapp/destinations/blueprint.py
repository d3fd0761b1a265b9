"""The blueprint of the directory; the views files of this package add to it, views.py loads them all."""

from flask import Blueprint

bp = Blueprint("destinations", __name__, url_prefix="/o/<slug:slug>/destinations")
