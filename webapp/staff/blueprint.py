"""The blueprint of the console; the views files of this package add to it."""

from flask import Blueprint

bp = Blueprint("staff", __name__)
