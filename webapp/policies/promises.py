"""Every promise of the policies, in one place: how it is kept, what proves it, what checks it, what counts it.

The texts name the keys beside their sections (texts/*.md); checking.py runs the checks; beside.py shows the rest. For
each key tests/policies/test_red.py breaks the service and sees it turn red.
"""

from webapp.policies import checks_of_database as database
from webapp.policies import checks_of_keeping as keeping
from webapp.policies import checks_of_pages as pages
from webapp.policies import checks_of_people as people
from webapp.policies import checks_of_telling as telling
from webapp.policies import figures
from webapp.policies.models import Policy
from webapp.policies.promise import Promise
from webapp.policies.said import Said

_PRIVACY, _SECURITY, _BOTH = (Policy.PRIVACY,), (Policy.SECURITY,), (Policy.PRIVACY, Policy.SECURITY)

PROMISES: tuple[Promise, ...] = (
    Promise(
        "only-invited",
        _BOTH,
        "Only people who were invited get in",
        "The only way in is the link of an invitation, which works once and for one address. Every membership names "
        "the invitation that it came from, and the database refuses one that names none.",
        "We find out how that person got in, take the membership away, and tell the organization's owners.",
        "tests/invitations/test_joining.py::test_security_19_nobody_joins_without_holding_an_invitation",
        people.only_invited,
        ("tests/invitations/test_joining.py::test_security_19_an_address_that_was_not_invited_is_of_no_use",),
        figures.of_access,
    ),
    Promise(
        "tenants-apart",
        _BOTH,
        "One customer's data is apart from another's",
        "Every question to the database is narrowed to your organization by the program, in one place that refuses "
        "what it cannot narrow, and on PostgreSQL once more by the database itself. Whoever is not on your list gets "
        "the same answer as for a page that does not exist.",
        "We take the service out of use until every lock holds again, and tell everybody whose data was open.",
        "tests/house/test_permissions.py::test_security_22_another_organization_is_closed_to_all",
        database.tenants_apart,
        (
            "tests/tenancy/test_lock.py::test_security_25_nothing_bound_means_no_rows",
            "tests/tenancy/test_row_level_security.py::test_security_24_every_tenant_table_forces_row_level_security",
        ),
        figures.of_locks,
    ),
    Promise(
        "no-third-party",
        _BOTH,
        "No third party gets anything, but by law",
        "Every page orders the browser to ask nobody but us. What the law makes us hand out needs two of our people, "
        "a list of its contents, and a line in a register that nobody can change.",
        "We stop what was sent, find out what went where, and tell everybody concerned.",
        "tests/browser/test_privacy.py::test_security_1_52_a_visit_asks_no_other_host_and_keeps_only_the_cookie",
        pages.no_third_party,
        ("tests/staff/test_disclosures.py::test_two_different_staff_must_agree",),
        figures.of_disclosures,
    ),
    Promise(
        "staff-locked-out",
        _BOTH,
        "Our staff cannot read your calls unless you let them",
        "The console has a connection of its own to the database. It can read counts; without a live grant of yours it "
        "cannot read one call, one number or one name.",
        "We close the console until the right to read is taken away again, and look in the records for who used it.",
        "tests/staff/test_rights.py::test_without_a_grant_no_row_of_a_table",
        database.staff_locked_out,
        ("tests/staff/test_rights.py::test_no_way_round", "tests/staff/test_rights.py::test_it_writes_nothing"),
        figures.of_openings,
    ),
    Promise(
        "openings-in-grants",
        _PRIVACY,
        "Our staff look only at what you allowed, while you allow it",
        "Opening is possible only inside a grant: for the person, the parts and the hours that an owner allowed. Each "
        "page that is opened is written into your “Who looked” before it is sent.",
        "We end that access, show you each page that was opened, and take it up with the person who opened it.",
        "tests/staff/test_open.py::test_never_beyond_what_was_allowed",
        people.openings_in_grants,
        (
            "tests/staff/test_open.py::test_outside_its_hours_it_does_not_open",
            "tests/staff/test_while_open.py::test_security_28_what_cannot_be_recorded_is_not_sent",
        ),
        figures.of_each_opening,
    ),
    Promise(
        "counts-only",
        _PRIVACY,
        "What is used is counted, never by whom",
        "Uses are summed by day, organization and part of the service in a table that has no column for anything else.",
        "We delete what was counted besides, and put the counting right.",
        "tests/staff/test_feature_use.py::test_nobody_is_named",
        database.counts_only,
        ("tests/staff/test_feature_use.py::test_counted_by_feature_and_written_together",),
    ),
    Promise(
        "nothing-but-records",
        _PRIVACY,
        "No sound and no message is stored",
        "The database has exactly the tables and columns of our published list. None of them is for sound, voicemail "
        "or the text of a message; the running database is compared with the list.",
        "We find out what the additional place is for, empty it, and take it away.",
        "tests/house/test_schema.py::test_a_mapping_says_what_the_table_says",
        database.nothing_but_records,
        ("tests/house/test_schema.py::test_every_table_is_mapped",),
        figures.of_what_we_hold,
    ),
    Promise(
        "one-cookie",
        _PRIVACY,
        "One cookie, and it says nothing",
        "It is a random number with our signature, made anew at each sign-in, for this session of the browser only, "
        "and out of reach of scripts. Everything else is kept with us, where it can be ended.",
        "We take the other cookie away with the next release, and end every session that has it.",
        "tests/browser/test_one_cookie.py::test_every_page_keeps_one_cookie_and_nothing_else",
        pages.one_cookie,
        ("tests/accounts/test_web_sessions.py::test_security_02_the_cookie_says_nothing",),
        figures.of_cookie,
    ),
    Promise(
        "own-database",
        _BOTH,
        "You know where your data is, and with whom",
        "Every partner that provides machines, network, storage or mail is named here with its region. Publishing "
        "freezes the list; another partner is a new version of this policy.",
        "We name the partner and the region, and publish that as a change.",
        "tests/commands/test_policies.py::test_with_gaps_nothing_is_published",
        keeping.own_database,
        (),
        figures.of_partners,
    ),
    Promise(
        "changes-told",
        _PRIVACY,
        "You are told of changes before they count",
        "A significant change is mailed once to everybody who has access to an organization. That it was, is written "
        "down in the same step as the mail, and what became of it. A mail that does not leave within a day of its turn "
        "counts as not sent. An address that the relay refuses is listed for our people; its owner reads the notice.",
        "We send it to whoever did not get it, and let it take effect later.",
        "tests/policies/test_announcing.py::test_everybody_with_a_membership_is_told_once",
        telling.changes_told,
        (),
        figures.of_changes,
    ),
    Promise(
        "sessions-as-said",
        _SECURITY,
        "Sessions end when we say they do",
        "Each request asks how long the session has been quiet and how old it is; what has run out counts for nothing "
        "and is deleted within the hour.",
        "We end all sessions that are too old, and put right what let them live.",
        "tests/accounts/test_web_sessions.py::test_security_05_twelve_hours_are_the_most",
        people.sessions_as_said,
        (
            "tests/accounts/test_web_sessions.py::test_security_05_an_idle_browser_is_signed_out",
            "tests/accounts/test_web_sessions.py::test_rows_that_have_run_out_are_swept",
        ),
        figures.of_sessions,
    ),
    Promise(
        "second-factor-for-staff",
        _SECURITY,
        "Our staff sign in with a second factor",
        "A password alone opens nobody of our staff more than the page on which they set up a passkey or an app.",
        "We end that session, and look in the records for what was done in it.",
        "tests/accounts/test_staff.py::test_security_13_a_password_opens_the_set_up_and_nothing_else",
        people.second_factor_for_staff,
        ("tests/accounts/test_staff.py::test_security_13_a_session_without_a_factor_proves_one",),
        figures.of_staff,
    ),
    Promise(
        "audit-whole",
        _SECURITY,
        "What was recorded stays as it was",
        "Each entry holds a digest of the one before it. The chains are computed anew: what is new every hour, and the "
        "whole of them within a day.",
        "We find the place, compare it with the backups and the ends of chains that owners keep, and tell the owners.",
        "tests/audit/test_chain.py::test_security_31_tampering_is_found",
        database.audit_whole,
        ("tests/audit/test_append_only.py::test_security_30_the_service_can_change_nothing",),
        figures.of_audit,
    ),
    Promise(
        "encrypted-on-the-way",
        _SECURITY,
        "Encrypted on the way; secrets sealed",
        "People reach the service by TLS, or on the machine itself only: with anything else it does not start. Secrets "
        "that must be readable again are sealed with a key outside the database; passwords are stored as slow digests.",
        "We close the open way, change every secret that was readable, and tell whose it was.",
        "tests/house/test_headers.py::test_security_37_over_https_browsers_are_kept_there",
        database.encrypted_on_the_way,
        ("tests/plumbing/test_sealing.py::test_security_51_what_is_sealed_says_nothing",),
    ),
    Promise(
        "backups-young",
        _SECURITY,
        "There is a young backup",
        "A backup is made at fixed hours, encrypted, and its checksum compared. What came of each is written down.",
        "We make one by hand at once, and find out why none was made.",
        "tests/recovery/test_backup.py::test_one_sealed_file_and_its_manifest",
        keeping.backups_young,
        (),
        figures.of_backups,
    ),
    Promise(
        "drill-young",
        _SECURITY,
        "Restoring was tried lately",
        "A backup is restored into a place of its own, and counts of calls and the ends of all chains are compared.",
        "We restore one by hand, compare it, and put right what stood in the way.",
        "tests/recovery/test_drill.py::test_security_50_a_difference_is_found_and_noted",
        keeping.drill_young,
        (),
        figures.of_drills,
    ),
    Promise(
        "retention-runs",
        _SECURITY,
        "Nothing stays longer than you keep it",
        "Every night what is older than an organization keeps is removed, in small steps. What has been removed is "
        "refused should it be sent again.",
        "We remove it by hand, and find out why the night did not.",
        "tests/privacy/test_retention.py::test_a_night_removes_what_the_preview_says",
        keeping.retention_runs,
        (),
        figures.of_retention,
    ),
    Promise(
        "breach-told",
        _SECURITY,
        "Whom an incident concerns is told of it",
        "Everybody concerned gets one mail, and a notice in the service that stays until they put it away. That they "
        "were told is written down in the same step as the mail, and what became of it. A mail that has not left in "
        "its turn, within the hours that we promise, counts as not sent.",
        "We write to whoever was not reached by another way, and put right what held the mails up.",
        "tests/policies/test_announcing.py::test_the_same_sender_tells_of_incidents",
        telling.breach_told,
        ("tests/policies/test_notices.py::test_an_incident_is_for_those_alone_whom_it_concerns",),
        figures.of_incidents,
    ),
    Promise(
        "security-txt",
        _SECURITY,
        "It says where to report a hole",
        "security.txt names an address, is made anew at each look, and holds for a year at most.",
        "We put it right; until then the contact of this policy is as good.",
        "tests/policies/test_pages.py::test_security_txt_is_as_rfc_9116_wants_it",
        pages.security_txt,
    ),
)
BY_KEY = {promise.key: promise for promise in PROMISES}
NOT_KNOWN = "This release of the service does not know this promise, so nothing checks it."


def promise_of(key: str) -> Promise:
    """By its key. One that a version in force names and this release has dropped is not kept, and says so."""
    return BY_KEY.get(key) or Promise(
        key,
        (),
        key.replace("-", " ").capitalize(),
        NOT_KNOWN,
        "We bring its check back, or publish a version that says what holds instead.",
        "",
        lambda _context: NOT_KNOWN,
    )


def list_promised(said: Said) -> list[Promise]:
    """What the versions in force promise; before there is one, what the drafts would."""
    return [promise_of(key) for key in said.promise_keys] or list(PROMISES)
