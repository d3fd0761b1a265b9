"""What people do with calls to return: who is to call, a note, done; who wants a mail a day. Called by return_views.py.

Each holds the organization, as do imports: what is changed here is the row as it is, not as a page showed it.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select, update

from webapp.audit.actions import record
from webapp.calls.models import CallToReturn, ReturnMail
from webapp.calls.periods import day_number
from webapp.calls.return_queries import Member, get_waiting, has_reached
from webapp.calls.words import write_number
from webapp.clock import now
from webapp.destinations.masking import mask_text
from webapp.destinations.models import Party
from webapp.errors import NotFound, Refused
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization
from webapp.tenancy.models import Numbers
from webapp.tenancy.narrowing import Narrowing
from webapp.tenancy.reader import Reader

MAIL_HOUR = 8  #: of the organization's day
LONGEST_NOTE = 500
_MASKED = Reader(numbers=Numbers.MASKED)


@dataclass(frozen=True)
class Actor:
    """Who acts, what they see of numbers, and the organization's region."""

    id: int
    reader: Reader
    region: str


class Gone(Refused):
    """The caller has got through since, or is too long ago: there is nothing left to do."""


class Changed(Refused):
    """Somebody else was faster."""


def get_held(session: LockedSession, party_id: int) -> CallToReturn:
    """The row, held until the transaction ends. Raises NotFound for no caller of ours, Gone for one who got through."""
    hold_organization(session)
    found = session.scalars(
        select(CallToReturn).where(CallToReturn.party_id == party_id).execution_options(populate_existing=True)
    ).one_or_none()
    if found is not None:
        return found
    if session.scalar(select(Party.id).where(Party.id == party_id)) is None:
        raise NotFound
    raise Gone("Nothing is left to do: this caller has got through since, or the last try is too long ago.")


def assign(
    session: LockedSession,
    row: CallToReturn,
    seen: int | None,
    to: Member | None,
    narrowing: Narrowing | None,
    *,
    actor: Actor,
) -> None:
    """Let `to` call, None for nobody; `narrowing` is theirs. `seen`: whom the page showed.

    Raises Changed and Refused.
    """
    person_id = None if to is None else to.id
    if row.assigned_to == person_id:
        return
    if row.assigned_to != seen:
        raise Changed("Somebody else changed it a moment ago. Nothing was done.", "assigned_to")
    if to is not None and narrowing is not None and not _sees(session, row, narrowing):
        raise Refused(f"{to.name} does not see this caller: none of the tries reached them.", "assigned_to")
    row.assigned_to = person_id
    session.flush()
    person = "nobody" if to is None else to.name
    record(
        session,
        "return.assigned",
        actor_id=actor.id,
        object_id=row.party_id,
        number=_number(session, row, actor),
        person=person,
    )


def _sees(session: LockedSession, row: CallToReturn, narrowing: Narrowing) -> bool:
    """Whoever sees the same as the actor does; else who was reached by one of the tries."""
    return narrowing == session.narrowing or has_reached(session, get_waiting(session, row.party_id), narrowing)


def write_note(session: LockedSession, row: CallToReturn, seen: str, note: str, *, actor: Actor) -> None:
    """`seen`: the note that the page showed. Raises Changed, and Refused for one that is too long or holds a number
    that is hidden from the actor.
    """
    note, shown = " ".join(note.split()), show_note(row.note, actor.reader)
    if note == shown:
        return
    if len(note) > LONGEST_NOTE:
        raise Refused(f"Use at most {LONGEST_NOTE} characters.", "note")
    if shown != row.note:
        raise Refused("The note that stands here holds a number that you do not see, so it stays.", "note")
    if row.note != seen:
        raise Changed(f"Somebody else noted a moment ago: “{row.note}”. Store yours again to replace it.", "note")
    row.note = note
    session.flush()
    record(session, "return.noted", actor_id=actor.id, object_id=row.party_id, number=_number(session, row, actor))


def show_note(note: str, reader: Reader) -> str:
    """With every number in it masked for whom numbers are."""
    return mask_text(note) if reader.is_masked else note


def mark_done(session: LockedSession, row: CallToReturn, *, actor: Actor) -> None:
    """A later try opens it again."""
    if row.done_at is not None:
        return
    row.done_at, row.done_by = now(), actor.id
    session.flush()
    record(session, "return.done", actor_id=actor.id, object_id=row.party_id, number=_number(session, row, actor))


def open_again(session: LockedSession, row: CallToReturn, *, actor: Actor) -> None:
    if row.done_at is None:
        return
    row.done_at = row.done_by = None
    session.flush()
    record(session, "return.opened", actor_id=actor.id, object_id=row.party_id, number=_number(session, row, actor))


def give_back(session: LockedSession, user_account_id: int) -> None:
    """What somebody who leaves was to call is nobody's again. Called in the transaction in which they go."""
    session.execute(
        update(CallToReturn)
        .where(CallToReturn.assigned_to == user_account_id)
        .values(assigned_to=None)
        .execution_options(synchronize_session=False)
    )


def wish_mail(session: LockedSession, user_account_id: int, wanted: bool, zone: ZoneInfo, present: datetime) -> None:
    """One mail a day from the next morning on, or none any more."""
    found = session.get(ReturnMail, (session.organization_id, user_account_id))
    if wanted == (found is not None):
        return
    if found is not None:
        session.delete(found)
    else:
        local = present.astimezone(zone)
        today = day_number(local.date())
        last_on = today if local.hour >= MAIL_HOUR else today - 1
        session.add(ReturnMail(user_account_id=user_account_id, last_on=last_on))
    session.flush()
    wish = "yes" if wanted else "no"
    record(session, "return.mailed", actor_id=user_account_id, object_id=user_account_id, wish=wish)


def _number(session: LockedSession, row: CallToReturn, actor: Actor) -> str:
    return write_number(session.get_one(Party, (row.organization_id, row.party_id)), actor.region, _MASKED)
