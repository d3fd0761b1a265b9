"""The blueprint of the call log, one call and their export; the views files of this package add to it."""

from flask import Blueprint

bp = Blueprint("calls", __name__)
