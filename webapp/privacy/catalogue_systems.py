"""The catalogue: phone systems, the files they wrote, and where calls go. Read by catalogue.py."""

from webapp.privacy.entries import EVERYBODY, IN_TAKEOUT, MANAGERS, Exported, Group, LeftOut, entry

AS_FILES = "As long as you keep imported files: you set how many days."

SYSTEMS = (
    entry(
        "pbx",
        Group.SYSTEMS,
        "A phone system, and how its files are to be read.",
        columns="""
            identifier: organization_id id
            setting: name format time_zone region area_code outside_prefix extension_digits outside_lines
            instant: answered_at
            setting: column_map
            count: settings_version
            instant: created_at closed_at""",
        seen_by=EVERYBODY,
        takeout=Exported("phone-systems/phone-systems"),
        refers_to="organization",
    ),
    entry(
        "pbx_token",
        Group.SYSTEMS,
        "By what a phone system proves itself; the proof itself is nowhere.",
        columns="""
            identifier: organization_id id pbx_id
            fact: prefix
            secret: token_digest
            instant: created_at
            identifier: created_by
            instant: last_used_at ends_at""",
        seen_by=MANAGERS,
        takeout=Exported("phone-systems/tokens", people=("created_by",)),
        refers_to="pbx",
    ),
    entry(
        "stored_file",
        Group.SYSTEMS,
        "A file that you brought, as it was received.",
        columns="""
            identifier: organization_id id
            count: byte_count stored_count
            fact: digest complete
            instant: created_at""",
        kept=AS_FILES,
        seen_by=MANAGERS,
        takeout=Exported("phone-systems/stored-files"),
        refers_to="organization",
    ),
    entry(
        "stored_chunk",
        Group.SYSTEMS,
        "What stands in such a file.",
        columns="identifier: organization_id stored_file_id count: position personal: content",
        personal={"content": "all that the file says: numbers, names, times"},
        kept=AS_FILES,
        seen_by=MANAGERS,
        takeout=LeftOut("the files themselves are in the folder files/, as they were received"),
        refers_to="stored_file",
    ),
    entry(
        "import_file",
        Group.SYSTEMS,
        "A file of call records, and what became of its lines.",
        columns="""
            identifier: organization_id id pbx_id stored_file_id
            personal: file_name
            fact: format confidence
            setting: time_zone column_map
            fact: header state cancel_asked
            count: read_count stored_count duplicate_count skipped_count refused_count call_count bytes_read
            count: work_seconds
            fact: error
            identifier: user_account_id
            instant: created_at started_at ended_at delivered_on
            count: old_count""",
        personal={"file_name": "what the file was called where it came from"},
        seen_by=MANAGERS,
        takeout=Exported("phone-systems/imports", days=("delivered_on",), people=("user_account_id",)),
        refers_to="pbx stored_file",
    ),
    entry(
        "rejected_line",
        Group.SYSTEMS,
        "A line that could not be read, with the reason.",
        columns="""
            identifier: organization_id import_file_id
            count: line_number
            fact: reason
            personal: raw""",
        personal={"raw": "the line as it stood in the file"},
        kept="As many days as you keep calls, from when its file came: of when it is, nobody can read.",
        seen_by=MANAGERS,
        takeout=Exported("phone-systems/refused-lines"),
        refers_to="import_file",
    ),
    entry(
        "spooled_delivery",
        Group.SYSTEMS,
        "Records that a phone system brought by itself and that wait to be read.",
        columns="""
            identifier: organization_id id pbx_id
            fact: format
            instant: received_at
            personal: body""",
        personal={"body": "the records as they came"},
        kept="Until they are read: seconds, or a few hours.",
        seen_by=IN_TAKEOUT,
        takeout=Exported("phone-systems/waiting-records"),
        refers_to="pbx",
    ),
    entry(
        "route_lookup",
        Group.SYSTEMS,
        "That a phone system asked where a call goes, and what it was told.",
        columns="""
            identifier: organization_id id pbx_id
            instant: at
            identifier: number_id route_plan_id destination_id
            fact: answer
            personal: dialled
            secret: link_keys""",
        personal={"dialled": "the number that was asked about"},
        kept="90 days.",
        seen_by=EVERYBODY,
        takeout=Exported("phone-systems/route-questions", destinations=("destination_id",)),
        refers_to="pbx",
    ),
)
