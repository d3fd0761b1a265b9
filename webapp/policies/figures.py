"""The figures beside each promise: of the service for everybody, of one organization for its people. Only reads.

Named by promises.py, one function a promise; each tells by `asking.organization` for whom. What a reader may not know
elsewhere is in none of them: who is narrowed gets figures of their own calls.
"""

from datetime import date, datetime
from math import ceil
from urllib.parse import urlencode

from sqlalchemy import func, select

from webapp.accounts.models import AccountState, UserAccount
from webapp.audit.checkpoints import count_purgeable
from webapp.audit.models import AuditHead
from webapp.calls.filters import CallFilter
from webapp.calls.log_page import tell_calls
from webapp.calls.models import Call
from webapp.calls.periods import named_period
from webapp.calls.selection import select_calls
from webapp.calls.totals import total_calls
from webapp.destinations.models import Party
from webapp.formatting import format_count, format_date, format_moment, format_size, format_span
from webapp.organizations.disclosures import count_told
from webapp.organizations.looked_filter import LookedFilter
from webapp.organizations.looks import list_looks
from webapp.organizations.room import find_room
from webapp.outbox.models import OutboxMessage
from webapp.policies.models import Announcement, AnnouncementKind, AnnouncementPerson, Outcome, Policy
from webapp.policies.outcomes import outcome_of
from webapp.policies.promise import Asking, Figure
from webapp.policies.who_can_see import count_anew, count_waiting
from webapp.privacy.retention import (
    AUDIT_CHOICES,
    EXPORT_CHOICES,
    LONG_CHOICES,
    count_old_files,
    edges_of,
    next_run,
    next_run_day,
    rules_of,
    tell_days,
)
from webapp.privacy.retention_calls import count_old_calls
from webapp.recovery.models import RecoveryRun
from webapp.recovery.queries import latest_backup, latest_drill
from webapp.tenancy.consent_models import AccessOpening
from webapp.tenancy.models import Organization, OrganizationState, Role

NEVER = "never"


def of_access(asking: Asking) -> list[Figure]:
    """Who can see the data."""
    if asking.membership is None or asking.reader is None:
        people = select(func.count(UserAccount.id)).where(
            UserAccount.state == AccountState.ACTIVE, ~UserAccount.is_staff, UserAccount.alone_since.is_(None)
        )
        count = select(func.count(Organization.id)).where(Organization.state == OrganizationState.OPEN)
        return [
            Figure("Organizations", format_count(asking.session.scalar(count) or 0)),
            Figure("People in them", format_count(asking.session.scalar(people) or 0)),
        ]
    if asking.organization is not None and asking.organization.state == OrganizationState.CLOSED:
        return [Figure("People who can see your calls", "nobody while it is closed; owners can take them out")]
    people_count = count_anew(asking.database, asking.membership, asking.reader.narrowing)
    if asking.is_narrowed:
        return [Figure("People who can see calls that you see", format_count(people_count))]
    link = asking.may_open("people.index")
    return [
        Figure("People who can see your calls", format_count(people_count), link),
        Figure("Invitations waiting", format_count(count_waiting(asking.session, asking.moment)), link),
    ]


def of_locks(asking: Asking) -> list[Figure]:
    engine, locks = _ENGINES[asking.database.dialect]
    return [Figure("Locks between customers", locks), Figure("Database", engine)]


#: Name, and locks between customers: the program's own, and row-level security where there is such a thing.
_ENGINES = {"sqlite": ("SQLite", "1"), "postgresql": ("PostgreSQL", "2")}


def of_disclosures(asking: Asking) -> list[Figure]:
    if asking.organization is None:
        return [Figure("Third parties on our pages", "0")]
    if asking.is_narrowed:
        return []
    told = format_count(count_told(asking.session))
    return [Figure("Disclosures that we may tell you about", told, asking.may_open("who_looked.disclosures"))]


def of_openings(asking: Asking) -> list[Figure]:
    """How often the operator's people opened the organization's data, and whether they do now."""
    if asking.organization is None or asking.is_narrowed:
        return []
    session = asking.session
    ever = session.scalar(select(func.count(AccessOpening.id))) or 0
    last = session.scalars(select(AccessOpening).order_by(AccessOpening.id.desc()).limit(1)).first()
    link = asking.may_open("support.index") if ever else ""
    return [
        Figure("Times our staff opened your data, ever", format_count(ever), link),
        Figure("Open now", format_count(len(list_looks(session, asking.moment))), link),
        Figure("Last time", _tell_opening(asking, last) if last else NEVER),
    ]


def of_each_opening(asking: Asking) -> list[Figure]:
    """The last ones, each with how long it was, and what was looked at in it."""
    if asking.organization is None or asking.is_narrowed:
        return []
    newest = select(AccessOpening).order_by(AccessOpening.id.desc()).limit(5)
    link = asking.may_open("who_looked.index")
    return [
        Figure(
            format_moment(each.opened_at, asking.zone, _today(asking)).capitalize(),
            _tell_length(asking, each),
            link and f"{link}?{urlencode(_events_of(asking, each).to_query())}",
        )
        for each in asking.session.scalars(newest)
    ] or [Figure("Openings", "none")]


def _events_of(asking: Asking, opening: AccessOpening) -> LookedFilter:
    first, last = (each.astimezone(asking.zone).date() for each in (opening.opened_at, _end_of(asking, opening)))
    return LookedFilter(who=opening.staff_id, first=first, last=last)


def _end_of(asking: Asking, opening: AccessOpening) -> datetime:
    return min(opening.ended_at or opening.until_at, opening.until_at, asking.moment)


def _tell_opening(asking: Asking, opening: AccessOpening) -> str:
    return f"{format_moment(opening.opened_at, asking.zone, _today(asking))}, {_tell_length(asking, opening)}"


def _tell_length(asking: Asking, opening: AccessOpening) -> str:
    return format_span(max(60, round((_end_of(asking, opening) - opening.opened_at).total_seconds())))


def of_what_we_hold(asking: Asking) -> list[Figure]:
    """Calls, numbers, from when to when, bytes of files; of a narrowed reader their own calls alone."""
    organization, reader = asking.organization, asking.reader
    if organization is None or reader is None:
        return [Figure("Sound recordings", "0"), Figure("Texts of messages", "0")]
    session = asking.session
    everything = CallFilter(named_period("all", asking.zone, asking.moment))
    calls = total_calls(session, select_calls(session, everything, None, asking.zone, organization.region, reader))
    first = session.scalar(select(Call.started_at).order_by(Call.started_at, Call.call_key).limit(1))
    last = session.scalar(select(Call.started_at).order_by(Call.started_at.desc(), Call.call_key.desc()).limit(1))
    if reader.narrowing is not None:
        return [
            Figure("Calls that you can see", tell_calls(calls), asking.may_open("calls.index")),
            Figure("Numbers and extensions opened to you", format_count(len(reader.narrowing.party_ids))),
            Figure("First of them", _tell_day(asking, first)),
            Figure("Last of them", _tell_day(asking, last)),
        ]
    return [
        Figure("Calls", tell_calls(calls), asking.may_open("calls.index")),
        Figure("Numbers and extensions", format_count(session.scalar(select(func.count(Party.id))) or 0)),
        Figure("First call", _tell_day(asking, first)),
        Figure("Last call", _tell_day(asking, last)),
        Figure("Imported files, as stored", format_size(find_room(session, organization).file_bytes)),
    ]


def _tell_day(asking: Asking, instant: datetime | None) -> str:
    return "none" if instant is None else format_date(instant.astimezone(asking.zone).date())


def of_cookie(asking: Asking) -> list[Figure]:
    """The one in the browser that asks. Its text is never shown: its parts and their lengths are all that it says."""
    cookie = asking.cookie
    sent = Figure("Cookies that your browser sends us now", format_count(cookie.count))
    if not cookie.text:
        return [sent]
    own_id, _dot, signature = cookie.text.partition(".")
    is_ours = len(own_id) == len(signature) == _KEY_LENGTH
    return [
        sent,
        Figure("Name", cookie.name),
        Figure("Size", format_size(len(cookie.text))),
        Figure("Decoded", f"{len(own_id)} random characters · {len(signature)} of our signature"),
        Figure("What it says about you", "nothing" if is_ours else "unknown: it is not as ours are made"),
    ]


_KEY_LENGTH = 43  #: of 32 random bytes, and of their signature


def of_partners(asking: Asking) -> list[Figure]:
    partners = [Figure(partner.name, partner.region) for partner in asking.values.partners]
    return [*partners, Figure("Your data is stored in", ", ".join(asking.values.regions) or "not named yet")]


def of_changes(asking: Asking) -> list[Figure]:
    """Which version is in force, and what became of the mail about it to the person who asks."""
    in_force = asking.said.in_force.get(Policy.PRIVACY)
    if in_force is None:
        return [Figure("Version in force", "none yet")]
    figures = [Figure("Version in force", str(in_force.version))]
    if asking.membership is None:
        return figures
    mails = asking.session.execute(
        select(AnnouncementPerson, OutboxMessage.state, OutboxMessage.ended_at)
        .join(Announcement, Announcement.id == AnnouncementPerson.announcement_id)
        .outerjoin(OutboxMessage, OutboxMessage.id == AnnouncementPerson.outbox_message_id)
        .where(
            AnnouncementPerson.user_account_id == asking.membership.user_account_id,
            Announcement.policy == Policy.PRIVACY,
            Announcement.version == in_force.version,
        )
    )
    for told, state, ended_at in mails:
        outcome = outcome_of(told.outcome, state)
        instant = told.told_at if outcome == Outcome.QUEUED else told.outcome_at or ended_at
        figures.append(Figure("Mail to you about it", f"{_OUTCOMES[outcome]} on {_tell_day(asking, instant)}"))
    return figures


_OUTCOMES = {
    Outcome.QUEUED: "queued",
    Outcome.HANDED_OVER: "handed over",
    Outcome.REFUSED: "refused",
    Outcome.CAME_BACK: "came back, noted",
}


def of_incidents(asking: Asking) -> list[Figure]:
    """Those of single organizations are told to these, and to nobody else."""
    of_all = (Announcement.kind == AnnouncementKind.INCIDENT, Announcement.organization_id.is_(None))
    count = asking.session.scalar(select(func.count(Announcement.id)).where(*of_all)) or 0
    hours = asking.values.breach_hours
    return [
        Figure("Incidents that everybody was told of", format_count(count)),
        Figure("Told within", f"{hours} hours" if hours else "not said yet"),
    ]


def of_sessions(asking: Asking) -> list[Figure]:
    if asking.organization is None:
        return []
    return [Figure("Quiet screens are signed out after", f"{asking.organization.idle_minutes} min")]


def of_staff(asking: Asking) -> list[Figure]:
    staff = select(func.count(UserAccount.id)).where(UserAccount.is_staff, UserAccount.state == AccountState.ACTIVE)
    return [Figure("People with the console", format_count(asking.session.scalar(staff) or 0))]


def of_audit(asking: Asking) -> list[Figure]:
    if asking.organization is None or asking.membership is None:
        return []
    if asking.membership.role != Role.OWNER or asking.is_narrowed:
        return []
    position = asking.session.scalar(select(AuditHead.position)) or 0
    return [Figure("Events in your audit", format_count(position), asking.may_open("who_looked.index"))]


def of_backups(asking: Asking) -> list[Figure]:
    newest, hours = latest_backup(asking.session), asking.values.backup_hours
    return [
        Figure("Last backup", _tell_moment(asking, newest.backup_at if newest else None)),
        Figure("Its size", format_size(newest.byte_count) if newest else "none"),
        Figure("One is made every", f"{hours} hours" if hours else "not said yet"),
        Figure("At most lost", asking.values.recovery_point or "not said yet"),
        Figure("Back within", asking.values.recovery_time or "not said yet"),
    ]


def of_drills(asking: Asking) -> list[Figure]:
    newest, days = latest_drill(asking.session), asking.values.drill_days
    return [
        Figure("Last drill", _tell_moment(asking, newest.ended_at if newest else None)),
        Figure("Calls compared", format_count(newest.calls) if newest else "none"),
        Figure("Restoring took", _tell_duration(newest)),
        Figure("At least every", f"{days} days" if days else "not said yet"),
    ]


def _tell_duration(drill: RecoveryRun | None) -> str:
    if drill is None or drill.ended_at is None or not drill.succeeded:
        return NEVER
    return format_span(ceil((drill.ended_at - drill.started_at).total_seconds()))


_KEPT = ("Calls are kept", "Who looked is kept", "Imported files are kept", "Takeouts are kept")


def _tell_choices(choices: tuple[int, ...], else_for_ever: str = ", or as long as you stay") -> str:
    return f"{tell_days(choices[0])} to {tell_days(choices[-1])}{else_for_ever}"


_CHOICES = tuple(
    Figure(label, words)
    for label, words in zip(
        _KEPT,
        (
            _tell_choices(LONG_CHOICES),
            _tell_choices(AUDIT_CHOICES),
            _tell_choices(LONG_CHOICES),
            _tell_choices(EXPORT_CHOICES, ""),
        ),
        strict=True,
    )
)


def of_retention(asking: Asking) -> list[Figure]:
    """What is in force, and what the next night removes; for everybody, among what each customer chooses."""
    organization = asking.organization
    if organization is None:
        return list(_CHOICES)  # each customer takes one
    rules, link = rules_of(organization), asking.may_open("settings.retention")
    figures = [
        Figure(label, tell_days(days) if days else "as long as you stay", link)
        for label, days in zip(_KEPT, rules, strict=True)
    ]
    if asking.is_narrowed:
        return figures[:1]  # of the calls: the others are none of theirs
    if rules.calls is None and rules.audit is None and rules.files is None:
        return figures
    edges = edges_of(rules, organization.time_zone, next_run_day(organization))
    return [
        *figures,
        Figure("Retention runs next", _tell_moment(asking, next_run(organization))),
        Figure("It removes calls", format_count(count_old_calls(asking.session, edges.calls, asking.zone))),
        Figure("It removes files", format_count(count_old_files(asking.session, edges.files)[0])),
        Figure("It removes events of “Who looked”", format_count(count_purgeable(asking.session, edges.audit))),
    ]


def _tell_moment(asking: Asking, instant: datetime | None) -> str:
    return NEVER if instant is None else format_moment(instant, asking.zone, _today(asking))


def _today(asking: Asking) -> date:
    return asking.moment.astimezone(asking.zone).date()
