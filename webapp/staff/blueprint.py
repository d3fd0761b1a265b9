"""The blueprint of the console, which its views files share."""

from flask import Blueprint

bp = Blueprint("staff", __name__)
