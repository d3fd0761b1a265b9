"""The blueprint of the staff's pages, on which every views file of this package hangs its views."""

from flask import Blueprint

bp = Blueprint("staff", __name__)
