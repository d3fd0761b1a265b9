"""What the console's connections may read: counts and settings always, an organization's details by area under a grant.

One list for both engines: roles.py grants by it and writes policies on PostgreSQL, engine.py refuses by it on SQLite.
What stands here nowhere, the console reads never. It writes nothing through these connections.
"""

from collections.abc import Mapping
from enum import IntFlag


class Area(IntFlag):
    """A part of an organization's data that it can allow staff to see. Stored as bits."""

    CALLS = 1  #: the call log
    DESTINATIONS = 2
    SOURCES = 4  #: phone systems, files and raw lines
    PEOPLE = 8


NOTHING, EVERYTHING = Area(0), Area.CALLS | Area.DESTINATIONS | Area.SOURCES | Area.PEOPLE

#: Columns that every console connection may read of all organizations; None for all of them.
CONSOLE: Mapping[str, tuple[str, ...] | None] = {
    "installation": None,
    "schema_upgrade": None,
    "organization": None,
    "worker": None,
    "organization_usage": None,
    "source_failure": None,
    "feature_use": None,
    "limited_network": None,
    "service_notice": None,
    "access_request": None,
    "disclosure": None,
    "policy_version": None,
    "announcement": None,
    "announcement_person": None,
    "promise_state": None,
    "promise_change": None,
    "recovery_run": None,
    "erasure": None,
    "job": (
        "id", "kind", "organization_id", "state", "run_at", "attempts", "lease_until", "error_class", "created_at",
        "ended_at",
    ),
    "outbox_message": (
        "id", "organization_id", "template", "state", "due_at", "attempts", "lease_until", "error", "created_at",
        "ended_at",
    ),
}  # fmt: skip
#: Of the tenant tables among them: rows of every organization, bound or not.
ACROSS = ("access_request", "disclosure")

#: The areas of which each alone opens a table's rows of the organization that allowed it.
DETAIL: Mapping[str, Area] = {
    "pbx": Area.CALLS | Area.DESTINATIONS | Area.SOURCES,
    "call": Area.CALLS,
    "call_party": Area.CALLS,
    "call_record": Area.CALLS,
    "call_total": Area.CALLS,
    "call_day": Area.CALLS,
    "call_month": Area.CALLS,
    "party_total": Area.CALLS | Area.DESTINATIONS,
    "call_search": Area.CALLS,
    "call_to_return": Area.CALLS,
    "route_lookup": Area.CALLS | Area.DESTINATIONS,
    "party": Area.CALLS | Area.DESTINATIONS,
    "party_holder": Area.CALLS | Area.DESTINATIONS,
    "unnamed_skip": Area.CALLS | Area.DESTINATIONS,
    "destination": Area.CALLS | Area.DESTINATIONS | Area.PEOPLE,
    "destination_member": Area.CALLS | Area.DESTINATIONS,
    "destination_pattern": Area.DESTINATIONS,
    "number": Area.CALLS | Area.DESTINATIONS,
    "schedule": Area.DESTINATIONS,
    "schedule_version": Area.DESTINATIONS,
    "route_plan": Area.DESTINATIONS,
    "route": Area.DESTINATIONS,
    "import_file": Area.CALLS | Area.SOURCES,
    "rejected_line": Area.SOURCES,
    "call_record_version": Area.SOURCES,
    "stored_file": Area.SOURCES,
    "stored_chunk": Area.SOURCES,
    "spooled_delivery": Area.SOURCES,
    "membership": Area.PEOPLE,
    "membership_party": Area.PEOPLE,
    "membership_destination": Area.PEOPLE,
    "invitation": Area.PEOPLE,
    "invitation_party": Area.PEOPLE,
    "invitation_destination": Area.PEOPLE,
    "user_account": Area.PEOPLE,
}
#: Of these tables, only so much even under a grant.
DETAIL_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "user_account": ("id", "email", "name", "state", "created_at"),
}
