"""The blueprint of phone systems and imports; the views files of this package add to it, views.py loads them all."""

from flask import Blueprint

bp = Blueprint("sources", __name__, url_prefix="/o/<slug:slug>")
