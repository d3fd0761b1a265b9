"""The blueprint of signing in and of a person's own account; the views files of this package add to it."""

from flask import Blueprint

bp = Blueprint("accounts", __name__)
