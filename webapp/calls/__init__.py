"""The call log. Whoever loads a module of this package has its rules for narrowed sessions too."""

from webapp.calls import narrowed

__all__ = ["narrowed"]
