"""Loads the pages of our numbers, opening hours and routes. views.py loads this."""

from webapp.destinations import number_views, route_history_views, route_tab_views, route_views, schedule_views
from webapp.destinations.blueprint import bp
from webapp.destinations.route_words import tell_followed

__all__ = ["number_views", "route_history_views", "route_tab_views", "route_views", "schedule_views"]

bp.app_template_filter("followed")(tell_followed)
