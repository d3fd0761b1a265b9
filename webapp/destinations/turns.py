"""Whose a pattern is from when on: set with a destination's form, handed over from a day on, taken back.

The rows of destination_pattern are the turns of their key. Called by actions.py and the views, which hold the
organization; holders.py then works out whose the parties are.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import or_, select

from webapp.audit.actions import record
from webapp.clock import from_ms, now, to_ms
from webapp.destinations.holders import read_turns, write_holders
from webapp.destinations.masking import mask_text
from webapp.destinations.matching import ALWAYS_MS, Pattern, Turn, holder_at
from webapp.destinations.models import Destination, DestinationKind, DestinationPattern, PatternKind
from webapp.destinations.patterns import FIELD
from webapp.destinations.queries import get_held
from webapp.errors import NotFound, Refused
from webapp.formatting import format_date
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.many_rows import insert_rows
from webapp.tenancy.members import hold_organization

_COLUMNS = ("pattern_key", "from_at", "destination_id", "kind", "digits", "pbx_id", "created_at", "created_by")


def hand_over(
    session: LockedSession, pattern: Pattern, to_id: int | None, from_at: datetime, *, actor_id: int | None
) -> None:
    """From the start of a local day on, until the next turn of the pattern, it is another's; None: nobody's.

    `from_at` has the zone whose day it is. Raises Refused where it is theirs already, or they are archived.
    """
    hold_organization(session)
    taker = None if to_id is None else get_held(session, to_id)
    if taker is not None and taker.archived_at is not None:
        raise Refused(f"{taker.name} is archived. Bring it back first, or choose somebody else.", "to")
    begins = max(ALWAYS_MS, to_ms(from_at))
    giver_id = holder_at(turns_of(session, pattern.key), begins)
    if giver_id == to_id:
        raise Refused("It is so already from that day on. Choose another day, or somebody else.", "to")
    row = _get_row(session, pattern, from_ms(begins))
    if row is None:
        session.add(_row(pattern, Turn(begins, to_id), actor_id))
    else:
        row.destination_id, row.created_at, row.created_by = to_id, now(), actor_id
    session.flush()
    giver = None if giver_id is None else get_held(session, giver_id)
    _pass_on(session, pattern, giver, taker, from_at, actor_id)


def take_turn_back(session: LockedSession, pattern: Pattern, from_at: datetime, *, actor_id: int | None) -> None:
    """Undo a hand-over: what was before it goes on. `from_at` has the zone whose day it is.

    Raises NotFound where there is none at that instant.
    """
    hold_organization(session)
    row = _get_row(session, pattern, from_at)
    if row is None:
        raise NotFound
    had = None if row.destination_id is None else get_held(session, row.destination_id)
    session.delete(row)
    session.flush()
    before = holder_at(turns_of(session, pattern.key), to_ms(from_at))
    gets = None if before is None else get_held(session, before)
    _pass_on(session, pattern, had, gets, from_at, actor_id)


def _get_row(session: LockedSession, pattern: Pattern, from_at: datetime) -> DestinationPattern | None:
    key = (session.organization_id, pattern.key, from_at)
    return session.get(DestinationPattern, key, populate_existing=True)


def _pass_on(
    session: LockedSession,
    pattern: Pattern,
    giver: Destination | None,
    taker: Destination | None,
    from_at: datetime,
    actor_id: int | None,
) -> None:
    """What follows from a turn that came or went."""
    touched = [each for each in (giver, taker) if each is not None]
    for each in touched:
        touch(each, actor_id)
    write_holders(session, [pattern])
    record(
        session,
        "destination.handed_over",
        actor_id=actor_id,
        object_id=touched[-1].id if touched else None,
        what=tell_pattern(pattern) if pattern.kind == PatternKind.EXTENSION else mask_text(tell_pattern(pattern)),
        before="nobody" if giver is None else giver.name,
        after="nobody" if taker is None else taker.name,
        day=format_date(from_at.date()),
    )


def turns_of(session: LockedSession, key: str) -> list[Turn]:
    """The history of one pattern, in order of time."""
    return read_turns(session, DestinationPattern.pattern_key == key).get(key, [])


def pattern_of(row: DestinationPattern) -> Pattern:
    return Pattern(row.kind, row.digits, row.pbx_id)


def set_patterns(
    session: LockedSession, destination: Destination, wanted: Sequence[Pattern], actor_id: int | None
) -> None:
    """Make these the patterns that are its own now. Those that it had at another time stay as they are.

    One that is taken off is nobody's in its turns: nobody else who had it gains the calls.
    """
    if not wanted and destination.kind == DestinationKind.ZONE:
        raise Refused("A zone is recognised by the beginning of its numbers: write one, such as +44 1632*.", FIELD)
    moment = to_ms(now())
    of_it = select(DestinationPattern.pattern_key).where(DestinationPattern.destination_id == destination.id)
    keys = {pattern.key for pattern in wanted}
    rows = session.scalars(
        select(DestinationPattern)
        .where(or_(DestinationPattern.pattern_key.in_(of_it), DestinationPattern.pattern_key.in_(sorted(keys))))
        .execution_options(populate_existing=True)  # as they are under the lock, whatever a form was filled from
    ).all()
    histories: dict[str, list[DestinationPattern]] = {}
    for row in rows:
        histories.setdefault(row.pattern_key, []).append(row)
    own = {key for key, history in histories.items() if _holder(history, moment) == destination.id}
    _refuse_taken(session, histories, keys - own, moment)
    changed = [pattern for pattern in wanted if pattern.key not in own]
    for pattern in changed:
        _begin(session, pattern, histories.get(pattern.key, ()), destination, actor_id)
    for key in own - keys:
        changed.append(pattern_of(histories[key][0]))
        _take_off(session, histories[key], destination, actor_id)
    session.flush()
    write_holders(session, changed)


def give_patterns(
    session: LockedSession,
    given: Mapping[Pattern, int],
    turns: Mapping[str, Sequence[Turn]],
    at_ms: int,
    actor_id: int | None,
) -> None:
    """Patterns that nobody holds at `at_ms` become these destinations', as set_patterns() makes them: many at once.

    `turns`: of all of these patterns, read since the organization is held.
    """
    rows: list[tuple[object, ...]] = []
    replaced: list[tuple[str, datetime]] = []
    for pattern, destination_id in given.items():
        history = turns.get(pattern.key, ())
        begins = at_ms if any(turn.destination_id is not None for turn in history) else ALWAYS_MS
        replaced += [(pattern.key, from_ms(each.from_ms)) for each in history if begins in (ALWAYS_MS, each.from_ms)]
        parts = int(pattern.kind), pattern.digits, pattern.pbx_id
        rows.append((pattern.key, begins, destination_id, *parts, at_ms, actor_id))
    for key in replaced:
        session.delete(session.get_one(DestinationPattern, (session.organization_id, *key)))
    insert_rows(session, DestinationPattern, _COLUMNS, rows)
    write_holders(session, given)


def _holder(history: Iterable[DestinationPattern], moment: int) -> int | None:
    return holder_at((Turn(to_ms(row.from_at), row.destination_id) for row in history), moment)


def _begin(
    session: LockedSession,
    pattern: Pattern,
    history: Collection[DestinationPattern],
    destination: Destination,
    actor_id: int | None,
) -> None:
    """A pattern that nobody ever had is its own for all time; one that was given up, from now on."""
    begins = to_ms(now()) if any(row.destination_id is not None for row in history) else ALWAYS_MS
    for row in history:
        if begins == ALWAYS_MS or to_ms(row.from_at) == begins:
            session.delete(row)
    session.flush()
    session.add(_row(pattern, Turn(begins, destination.id), actor_id))


def _take_off(
    session: LockedSession, history: Collection[DestinationPattern], destination: Destination, actor_id: int | None
) -> None:
    """Where nobody else ever had it, it was wrong for all time; the turns of others stay as long as they were."""
    is_shared = any(row.destination_id not in (None, destination.id) for row in history)
    for row in history:
        if not is_shared:
            session.delete(row)
        elif row.destination_id == destination.id:
            row.destination_id, row.created_at, row.created_by = None, now(), actor_id


def _refuse_taken(
    session: LockedSession, histories: dict[str, list[DestinationPattern]], keys: Collection[str], moment: int
) -> None:
    """Two equal patterns would name the same calls twice: both are named, and how to pass one on."""
    for key in sorted(keys & histories.keys()):
        holder_id = _holder(histories[key], moment)
        if holder_id is None:
            continue
        holder = get_held(session, holder_id)
        pattern = pattern_of(histories[key][0])
        archived = " (archived)" if holder.archived_at is not None else ""
        raise Refused(
            f"{tell_pattern(pattern)} is {holder.name}{archived} already. Take it off there if that was wrong, or hand "
            "it over from a day on.",
            FIELD,
        )


def tell_pattern(pattern: Pattern) -> str:
    """In a sentence: "Extension 204", "+441632960123", "Every number that begins with +441632"."""
    if pattern.kind == PatternKind.NUMBER:
        return f"+{pattern.digits}"
    if pattern.kind == PatternKind.PREFIX:
        return f"Every number that begins with +{pattern.digits}"
    return f"Extension {pattern.digits}"


def _row(pattern: Pattern, turn: Turn, actor_id: int | None) -> DestinationPattern:
    return DestinationPattern(
        pattern_key=pattern.key,
        from_at=from_ms(turn.from_ms),
        destination_id=turn.destination_id,
        kind=pattern.kind,
        digits=pattern.digits,
        pbx_id=pattern.pbx_id,
        created_at=now(),
        created_by=actor_id,
    )


def touch(destination: Destination, actor_id: int | None) -> None:
    """Note that somebody changed it."""
    destination.version += 1
    destination.changed_at, destination.changed_by = now(), actor_id
