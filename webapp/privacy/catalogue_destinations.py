"""The catalogue: destinations, own numbers, opening hours and routes. Read by catalogue.py."""

from webapp.privacy.entries import EVERYBODY, MANAGERS, Exported, Group, entry

DESTINATIONS = (
    entry(
        "destination",
        Group.DESTINATIONS,
        "A named place that calls go to or come from: a person, a team, a customer.",
        columns="""
            identifier: organization_id id
            fact: kind
            personal: name
            setting: colour
            personal: note
            count: version
            instant: created_at changed_at
            identifier: changed_by
            instant: archived_at
            identifier: merged_into_id""",
        personal={"name": "its name: often a person's", "note": "what your people noted"},
        seen_by=EVERYBODY,
        takeout=Exported("destinations/destinations", people=("changed_by",), destinations=("merged_into_id",)),
        refers_to="organization",
        names_its_own="merged_into_id",
    ),
    entry(
        "destination_member",
        Group.DESTINATIONS,
        "That a person is of a team.",
        columns="identifier: organization_id team_id person_id",
        seen_by=EVERYBODY,
        takeout=Exported("destinations/team-members", destinations=("team_id", "person_id")),
        refers_to="destination",
    ),
    entry(
        "destination_pattern",
        Group.DESTINATIONS,
        "By which numbers a destination is recognised, and from when on.",
        columns="""
            identifier: organization_id
            personal: pattern_key
            instant: from_at
            identifier: destination_id
            fact: kind
            personal: digits
            identifier: pbx_id
            instant: created_at
            identifier: created_by""",
        personal={"pattern_key": "the number, its beginning, or the extension", "digits": "the same, digits alone"},
        seen_by=EVERYBODY,
        takeout=Exported("destinations/patterns", people=("created_by",), destinations=("destination_id",)),
        refers_to="destination pbx",
    ),
    entry(
        "party_holder",
        Group.DESTINATIONS,
        "Whose a number is, from when on.",
        columns="identifier: organization_id party_id instant: from_at identifier: destination_id",
        kept="As long as the number; by the patterns of a destination it comes again with the number.",
        seen_by=EVERYBODY,
        takeout=Exported("destinations/holders", parties=("party_id",), destinations=("destination_id",)),
        refers_to="party destination",
    ),
    entry(
        "contact_import",
        Group.DESTINATIONS,
        "A file of contacts that somebody brought, and what became of it.",
        columns="""
            identifier: organization_id id stored_file_id
            personal: file_name
            fact: state
            count: line_count added_count changed_count same_count refused_count
            personal: refused
            count: bytes_read
            fact: error
            identifier: user_account_id
            instant: created_at""",
        personal={
            "file_name": "what the file was called where it came from",
            "refused": "the first lines that could not be read",
        },
        seen_by=MANAGERS,
        takeout=Exported("destinations/contact-files", people=("user_account_id",)),
        refers_to="stored_file",
    ),
    entry(
        "number",
        Group.DESTINATIONS,
        "A number of your own.",
        columns="""
            identifier: organization_id id
            personal: e164
            identifier: party_id
            fact: kind region
            setting: provider label
            instant: since_at until_at
            count: version
            instant: created_at
            identifier: created_by""",
        personal={"e164": "the number: a person's own line, it may be"},
        seen_by=EVERYBODY,
        takeout=Exported("destinations/own-numbers", parties=("party_id",), people=("created_by",)),
        refers_to="organization party",
    ),
    entry(
        "schedule",
        Group.DESTINATIONS,
        "Opening hours or holidays that routes share.",
        columns="""
            identifier: organization_id id
            fact: kind
            setting: name
            instant: created_at archived_at""",
        seen_by=EVERYBODY,
        takeout=Exported("destinations/schedules"),
        refers_to="organization",
    ),
    entry(
        "schedule_version",
        Group.DESTINATIONS,
        "What opening hours or holidays said from a moment on.",
        columns="""
            identifier: organization_id schedule_id
            instant: from_at
            setting: time_zone content
            identifier: user_account_id""",
        seen_by=EVERYBODY,
        takeout=Exported("destinations/schedule-versions", people=("user_account_id",)),
        refers_to="schedule",
    ),
    entry(
        "route_plan",
        Group.DESTINATIONS,
        "All routes of one number, as they were stored at once.",
        columns="identifier: organization_id id number_id instant: at identifier: user_account_id repeats_id",
        seen_by=EVERYBODY,
        takeout=Exported("destinations/route-plans", people=("user_account_id",)),
        refers_to="number",
        names_its_own="repeats_id",
    ),
    entry(
        "route",
        Group.DESTINATIONS,
        "Where a call to a number goes under one condition.",
        columns="""
            identifier: organization_id route_plan_id
            count: position
            setting: condition
            identifier: schedule_id
            setting: ring_seconds
            identifier: destination_id
            setting: enabled
            instant: from_at until_at""",
        seen_by=EVERYBODY,
        takeout=Exported("destinations/routes", destinations=("destination_id",)),
        refers_to="route_plan schedule destination",
    ),
)
