"""Destinations. Whoever loads a module of this package has what a destination opens to narrowed people, too."""

from webapp.destinations import opened

__all__ = ["opened"]
