"""In which groups "Who looked" shows what was recorded: by what stands before the dot of a kind (kinds.py)."""

from enum import StrEnum


class Group(StrEnum):
    """Kinds that belong together on "Who looked"; the value stands in its address."""

    SIGN_INS = "sign-ins"
    PEOPLE = "people"
    VIEWS = "calls"
    SEARCHES = "searches"
    DESTINATIONS = "destinations"
    RETURNS = "returns"
    SOURCES = "imports"
    SUPPORT = "support"
    SETTINGS = "settings"


GROUP_LABELS = {
    Group.SIGN_INS: "Sign-ins",
    Group.PEOPLE: "People",
    Group.VIEWS: "Calls viewed",
    Group.SEARCHES: "Searches and exports",
    Group.DESTINATIONS: "Destinations",
    Group.RETURNS: "Calls to return",
    Group.SOURCES: "Imports and phone systems",
    Group.SUPPORT: "Support",
    Group.SETTINGS: "Settings",
}
GROUPS = {
    "sign_in": Group.SIGN_INS,
    "sign_out": Group.SIGN_INS,
    "prove": Group.SIGN_INS,
    "session": Group.SIGN_INS,
    "account": Group.SIGN_INS,
    "staff_account": Group.PEOPLE,
    "member": Group.PEOPLE,
    "invitation": Group.PEOPLE,
    "overview": Group.VIEWS,
    "call_log": Group.VIEWS,
    "call": Group.VIEWS,
    "number": Group.VIEWS,
    "search": Group.SEARCHES,
    "export": Group.SEARCHES,
    "refused_lines": Group.SEARCHES,
    "who_looked": Group.SEARCHES,
    "destination": Group.DESTINATIONS,
    "return": Group.RETURNS,
    "pbx": Group.SOURCES,
    "token": Group.SOURCES,
    "import": Group.SOURCES,
    "own_number": Group.SETTINGS,
    "schedule": Group.SETTINGS,
    "routes": Group.SETTINGS,
    "support": Group.SUPPORT,
    "organization": Group.SETTINGS,
    "retention": Group.SETTINGS,
    "settings": Group.SETTINGS,
    "service": Group.SUPPORT,
    "disclosure": Group.SEARCHES,
    "legal": Group.SEARCHES,
    "lost_factor": Group.SIGN_INS,
    "help_code": Group.SIGN_INS,
    "takeout": Group.SEARCHES,
}


def group_of(kind: str) -> Group:
    return GROUPS[kind.partition(".")[0]]
