"""The catalogue: calls, the numbers in them, and what is counted of them. Read by catalogue.py."""

from webapp.privacy.entries import AS_CALLS, EVERYBODY, NOBODY, Exported, Group, LeftOut, entry

HASHES = "keyed digests, worked out of the records beside them"

CALLS = (
    entry(
        "call",
        Group.CALLS,
        "A call: who called whom, when, for how long, and what came of it.",
        columns="""
            identifier: organization_id
            instant: started_at
            identifier: call_key pbx_id
            fact: direction outcome
            identifier: caller_id
            fact: caller_reason
            identifier: dialed_id callee_id answered_by_id did_id
            count: ring_seconds wait_seconds talk_seconds
            instant: ended_at
            count: record_count
            fact: flags
            identifier: party_ids
            count: price""",
        kept=AS_CALLS,
        seen_by=EVERYBODY,
        takeout=Exported(
            "calls/calls",
            key="call_key",
            parties=("caller_id", "dialed_id", "callee_id", "answered_by_id", "did_id"),
            left_out={"party_ids": "calls/who-took-part says the same"},
        ),
        refers_to="pbx",
    ),
    entry(
        "call_party",
        Group.CALLS,
        "Who took part in a call, and in which role.",
        columns="""
            identifier: organization_id party_id
            instant: started_at
            identifier: call_key
            fact: roles
            count: talk_seconds""",
        kept=AS_CALLS,
        seen_by=EVERYBODY,
        takeout=Exported("calls/who-took-part", parties=("party_id",)),
        refers_to="party",
    ),
    entry(
        "party",
        Group.CALLS,
        "A number or extension that your calls have, once.",
        columns="""
            identifier: organization_id id
            personal: identity
            fact: kind
            personal: e164 digits
            identifier: pbx_id
            fact: region line_type
            personal: name
            fact: place""",
        personal={
            "identity": "the number, or phone system and extension",
            "e164": "the number, as it is dialled from abroad",
            "digits": "its digits, by which it is searched",
            "name": "the name that a phone system gave it",
        },
        kept="As long as one of your calls has it, somebody is let see it, or it is listed as a number of yours.",
        seen_by=EVERYBODY,
        takeout=Exported("calls/numbers-seen"),
        refers_to="pbx",
    ),
    entry(
        "call_record",
        Group.CALLS,
        "A row that a phone system wrote, with its raw text.",
        columns="""
            identifier: organization_id record_key
            secret: id_hash content_hash
            identifier: call_key pbx_id import_file_id
            count: line_number version
            instant: started_at answered_at ended_at
            count: duration billsec
            fact: kind result direction flags hangup_cause disposition
            personal: caller caller_name dialed reached
            fact: did leg_id peer_leg_id line peer_line context application queue_name account_code
            secret: link_keys
            personal: raw""",
        personal={
            "caller": "the number that called, as written",
            "caller_name": "the name it called under",
            "dialed": "what was dialled",
            "reached": "what was reached",
            "raw": "the whole row as it stood in the file",
        },
        kept=AS_CALLS,
        seen_by=EVERYBODY,
        takeout=Exported("calls/records"),
        refers_to="pbx import_file",
    ),
    entry(
        "call_record_version",
        Group.CALLS,
        "What a record said before it came again with other content.",
        columns="""
            identifier: organization_id record_key
            count: version
            identifier: import_file_id
            count: line_number
            secret: content_hash
            personal: raw""",
        personal={"raw": "the whole row as it stood in the file"},
        kept=AS_CALLS,
        seen_by=EVERYBODY,
        takeout=Exported("calls/earlier-versions-of-records"),
        refers_to="import_file",
    ),
    entry(
        "call_link",
        Group.CALLS,
        "By which records are known to be of one call: numbers without a meaning.",
        columns="identifier: organization_id secret: link_key identifier: call_key",
        kept=AS_CALLS,
        seen_by=NOBODY,
        takeout=LeftOut(HASHES),
    ),
    *(
        entry(
            name,
            Group.CALLS,
            f"Calls of {span}, counted.",
            columns=f"""
                identifier: organization_id
                instant: {unit}
                identifier: pbx_id
                fact: direction outcome
                count: calls ring_seconds wait_seconds talk_seconds price unpriced""",
            kept=AS_CALLS,
            seen_by=EVERYBODY,
            takeout=takeout,
        )
        for name, span, unit, takeout in (
            ("call_total", "a quarter of an hour", "slot", Exported("calls/totals-by-quarter", quarters=("slot",))),
            ("call_day", "a day", "day", Exported("calls/totals-by-day", days=("day",))),
            ("call_month", "a month", "month", Exported("calls/totals-by-month", months=("month",))),
        )
    ),
    entry(
        "party_total",
        Group.CALLS,
        "Calls of one number on one day, counted.",
        columns="""
            identifier: organization_id party_id
            instant: day
            count: calls answered missed talk_seconds""",
        kept=AS_CALLS,
        seen_by=EVERYBODY,
        takeout=Exported("calls/totals-by-number", days=("day",), parties=("party_id",)),
        refers_to="party",
    ),
    entry(
        "call_search",
        Group.CALLS,
        "What somebody searched for, so that it stands in no address and no log.",
        columns="identifier: organization_id id user_account_id personal: words instant: created_at",
        personal={"words": "the words and numbers searched for"},
        kept="A day.",
        seen_by="Whoever searched; owners, in a takeout.",
        takeout=Exported("calls/searches", people=("user_account_id",)),
        refers_to="organization",
    ),
    entry(
        "call_to_return",
        Group.CALLS,
        "A caller who did not get through, and who is to call back.",
        columns="""
            identifier: organization_id party_id
            instant: first_at last_at
            identifier: last_call_key pbx_id did_id
            count: tries wait_seconds
            fact: voicemail
            identifier: assigned_to
            personal: note
            instant: done_at
            identifier: done_by""",
        personal={"note": "what your people noted"},
        kept="Until somebody has talked with the caller.",
        seen_by=EVERYBODY,
        takeout=Exported("calls/calls-to-return", parties=("party_id", "did_id"), people=("assigned_to", "done_by")),
        refers_to="party",
    ),
    entry(
        "return_mail",
        Group.CALLS,
        "That somebody wants a mail every morning which says how many callers wait.",
        columns="identifier: organization_id user_account_id instant: last_on",
        kept="Until the person wants it no more.",
        seen_by="The person; owners, in a takeout.",
        takeout=Exported("calls/morning-mails", days=("last_on",), people=("user_account_id",)),
        refers_to="membership",
    ),
    entry(
        "unnamed_skip",
        Group.CALLS,
        "A caller whom somebody passed over when numbers were given names.",
        columns="identifier: organization_id party_id skipped_by instant: skipped_at",
        kept="Until it is taken back, or no call has the number any more.",
        seen_by=EVERYBODY,
        takeout=Exported("calls/passed-over", parties=("party_id",), people=("skipped_by",)),
        refers_to="party",
    ),
)
