"""The directory's pages. Holds `bp`; loads the views files."""

from webapp.destinations import route_pages
from webapp.destinations.blueprint import bp

__all__ = ["bp", "route_pages"]
