"""The catalogue: organizations and the people in them. Read by catalogue.py."""

from webapp.privacy.entries import (
    IN_TAKEOUT,
    MANAGERS,
    OWNERS,
    STAFF_AND_TAKEOUT,
    Erased,
    Exported,
    Group,
    How,
    Purpose,
    Rows,
    entry,
)

ORGANIZATION = (
    entry(
        "organization",
        Group.ORGANIZATION,
        "Your organization and its settings.",
        columns="""
            identifier: id
            setting: slug name time_zone region
            fact: state
            instant: keeps_from
            personal: contact
            setting: idle_minutes second_factor_required
            instant: created_at
            setting: next_time_zone
            identifier: moved_party_id
            count: moved_ms
            fact: suspended_for
            setting: file_limit people_limit keep_calls_days keep_audit_days keep_files_days keep_exports_days
            instant: closing_ms
            identifier: closing_by""",
        personal={"contact": "whom a stranger may ask, as your owners wrote it"},
        seen_by="Everybody you let in; our staff.",
        takeout=Exported("organization/organization", rows=Rows.ITSELF, people=("closing_by",)),
        erased=Erased(How.ITSELF, "Last of all, once everything that names it is gone."),
    ),
    entry(
        "organization_usage",
        Group.ORGANIZATION,
        "What our staff see of your organization: counts, and its owners' addresses.",
        columns="""
            instant: counted_at
            identifier: organization_id
            personal: owners
            count: people calls recent_calls file_bytes waiting_bytes sources silent_sources failing_sources openings
            instant: last_call_day last_sign_in_day""",
        personal={"owners": "the e-mail addresses of its owners"},
        kept="Counted anew every hour; only the newest is kept.",
        seen_by=STAFF_AND_TAKEOUT,
        takeout=Exported("organization/what-staff-see", days=("last_call_day", "last_sign_in_day")),
        refers_to="organization",
    ),
    entry(
        "feature_use",
        Group.ORGANIZATION,
        "How often a feature was used on a day: a count, no person.",
        columns="instant: day identifier: organization_id fact: feature count: uses",
        purpose=Purpose.IMPROVE,
        kept="400 days.",
        seen_by=STAFF_AND_TAKEOUT,
        takeout=Exported("organization/feature-use", days=("day",)),
    ),
    entry(
        "source_failure",
        Group.ORGANIZATION,
        "How often a phone system's files or deliveries failed on a day, by kind of failure.",
        columns="""
            instant: day
            identifier: organization_id pbx_id
            fact: kind error_class
            count: failures
            instant: last_at""",
        kept="7 days.",
        seen_by=STAFF_AND_TAKEOUT,
        takeout=Exported("organization/failures", days=("day",)),
    ),
    entry(
        "invitation",
        Group.ORGANIZATION,
        "An offer to come in, made to an address: the only way in.",
        columns="""
            identifier: organization_id id
            personal: email
            setting: role numbers may_export narrowed
            instant: ends_at
            personal: words
            secret: token_digest
            fact: state
            count: mail_count
            identifier: invited_by
            instant: created_at expires_at ended_at""",
        personal={"email": "the address that was invited", "words": "the line that the inviter added"},
        seen_by=MANAGERS,
        takeout=Exported("people/invitations", people=("invited_by",)),
        refers_to="organization",
    ),
    entry(
        "invitation_party",
        Group.ORGANIZATION,
        "A number whose calls an invitation opens.",
        columns="identifier: organization_id invitation_id party_id instant: from_at until_at",
        seen_by=MANAGERS,
        takeout=Exported("people/invitations-to-numbers", parties=("party_id",)),
        refers_to="invitation party",
    ),
    entry(
        "invitation_destination",
        Group.ORGANIZATION,
        "A destination whose calls an invitation opens.",
        columns="identifier: organization_id invitation_id destination_id instant: from_at until_at",
        seen_by=MANAGERS,
        takeout=Exported("people/invitations-to-destinations", destinations=("destination_id",)),
        refers_to="invitation destination",
    ),
    entry(
        "membership",
        Group.ORGANIZATION,
        "That a person is in your organization, and what of it they see.",
        columns="""
            identifier: organization_id user_account_id invitation_id
            setting: role numbers may_export narrowed
            instant: ends_at last_used_at created_at""",
        kept="As long as the person is in.",
        seen_by=MANAGERS,
        takeout=Exported("people/members", people=("user_account_id",)),
        refers_to="organization user_account invitation",
    ),
    entry(
        "membership_party",
        Group.ORGANIZATION,
        "A number whose calls a person sees.",
        columns="identifier: organization_id user_account_id party_id instant: from_at until_at",
        kept="As long as the person is in.",
        seen_by=MANAGERS,
        takeout=Exported("people/members-to-numbers", parties=("party_id",), people=("user_account_id",)),
        refers_to="membership party",
    ),
    entry(
        "membership_destination",
        Group.ORGANIZATION,
        "A destination whose calls a person sees.",
        columns="identifier: organization_id user_account_id destination_id instant: from_at until_at",
        kept="As long as the person is in.",
        seen_by=MANAGERS,
        takeout=Exported(
            "people/members-to-destinations", people=("user_account_id",), destinations=("destination_id",)
        ),
        refers_to="membership destination",
    ),
    entry(
        "factor_consent",
        Group.ORGANIZATION,
        "That an owner agreed to let in a person who lost every second factor.",
        columns="identifier: organization_id removal_id confirmed_by instant: confirmed_at",
        kept="A year.",
        seen_by=OWNERS,
        takeout=Exported("people/lost-factors-confirmed", people=("confirmed_by",)),
        refers_to="factor_removal",
    ),
    entry(
        "outbox_message",
        Group.ORGANIZATION,
        "A mail that waits to go, or went.",
        columns="""
            identifier: id organization_id cause
            fact: template
            personal: to_address words
            secret: secret
            identifier: message_id
            fact: state
            instant: due_at
            count: attempts
            fact: lease_owner
            instant: lease_until
            fact: error
            instant: created_at ended_at""",
        personal={"to_address": "the address it goes to", "words": "names and figures that it tells"},
        kept="30 days once it is handed over.",
        seen_by=IN_TAKEOUT,
        takeout=Exported("organization/mails", rows=Rows.MAILS),
    ),
    entry(
        "job",
        Group.ORGANIZATION,
        "Work to be done in the background: an import, a takeout.",
        columns="""
            identifier: id
            fact: kind
            identifier: organization_id payload
            fact: state
            instant: run_at
            count: attempts
            fact: lease_owner
            instant: lease_until
            fact: error_class
            instant: created_at ended_at""",
        kept="30 days once it has ended.",
        seen_by=IN_TAKEOUT,
        takeout=Exported("organization/background-work"),
    ),
)
