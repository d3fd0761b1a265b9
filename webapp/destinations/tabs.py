"""The tabs of the directory's pages. Each views file adds its own; templates/destinations/_tabs.html shows them."""

from dataclasses import dataclass

from flask import request

from webapp.tenancy.request import may_open


@dataclass(frozen=True)
class Tab:
    label: str
    endpoint: str
    order: int


_tabs: dict[str, Tab] = {}


def add_tab(label: str, endpoint: str, order: int) -> None:
    _tabs[endpoint] = Tab(label, endpoint, order)


def list_tabs() -> list[Tab]:
    """In order, those that can be opened."""
    return sorted((tab for tab in _tabs.values() if may_open(tab.endpoint)), key=lambda tab: tab.order)


def current_tab() -> str:
    """Endpoint of the page that is shown, where it is one of the tabs itself."""
    return request.endpoint or ""
