"""Writes party_holder: whose each party is, worked out from the patterns. Called by actions.py after every change.

A change of a pattern concerns the parties that the pattern meets; which of the others meet them too decides, so all
keys that could are read, the parties' turns are worked out (matching.py), and only what differs is written. Parties
that are new with an import get theirs from ingest/parties.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, select

from webapp.clock import from_ms, to_ms
from webapp.destinations.matching import ALWAYS_MS, PartyNumber, Pattern, Turn, keys_met, list_turns
from webapp.destinations.models import DestinationPattern, Party, PartyHolder, PartyKind, PatternKind
from webapp.tenancy.lock import LockedSession

_CHUNK = 500  #: of keys or ids in one statement


def write_holders(session: LockedSession, patterns: Iterable[Pattern]) -> int:
    """Work out anew whose the parties are that these patterns meet, and store it. Gives how many parties changed.

    The organization is held by the caller (hold_organization), and the patterns are flushed.
    """
    changed = 0
    for condition, keys in _scopes(patterns):
        parties = session.execute(select(Party.id, Party.kind, Party.digits, Party.pbx_id).where(condition)).all()
        if parties:
            known = read_turns(session, keys)
            held = _read_held(session, condition)
            wanted = {row.id: list_turns(PartyNumber(row.kind, row.digits, row.pbx_id), known) for row in parties}
            changed += _store(session, held, wanted)
    return changed


def _scopes(patterns: Iterable[Pattern]) -> Iterable[tuple[ColumnElement[bool], ColumnElement[bool]]]:
    """Which parties the patterns meet, and all keys that these parties may meet besides: a prefix by itself, the rest
    many at a time.
    """
    patterns = list(dict.fromkeys(patterns))
    for pattern in patterns:
        if pattern.kind == PatternKind.PREFIX:
            yield (
                and_(Party.kind == PartyKind.OUTSIDE, Party.digits.startswith(pattern.digits)),
                _keys_within(pattern.digits),
            )
    for kind in (PatternKind.NUMBER, PatternKind.EXTENSION):
        exact = [pattern for pattern in patterns if pattern.kind == kind]
        for start in range(0, len(exact), _CHUNK):
            some = exact[start : start + _CHUNK]
            yield (_numbers if kind == PatternKind.NUMBER else _extensions)(some)


def _keys_within(prefix: str) -> ColumnElement[bool]:
    """Every key that a number with this prefix can meet: longer ones, and the shorter prefixes of it."""
    shorter = [Pattern(PatternKind.PREFIX, prefix[:length]).key for length in range(1, len(prefix))]
    return or_(
        DestinationPattern.pattern_key.startswith(f"+{prefix}"), DestinationPattern.pattern_key.in_(sorted(shorter))
    )


def _numbers(patterns: Sequence[Pattern]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    keys = {key for each in patterns for key in keys_met(PartyNumber(PartyKind.OUTSIDE, each.digits, None))}
    return Party.identity.in_([each.key for each in patterns]), DestinationPattern.pattern_key.in_(sorted(keys))


def _extensions(patterns: Sequence[Pattern]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """A pattern of one phone system may take a party from the pattern of all, so all of these digits are asked."""
    digits = sorted({each.digits for each in patterns})
    inside = and_(Party.kind != PartyKind.OUTSIDE, Party.digits.in_(digits))
    ours = and_(DestinationPattern.kind == PatternKind.EXTENSION, DestinationPattern.digits.in_(digits))
    return inside, ours


def read_turns(session: LockedSession, condition: ColumnElement[bool]) -> dict[str, list[Turn]]:
    """The turns of each key among the patterns that meet the condition."""
    rows = session.execute(
        select(DestinationPattern.pattern_key, DestinationPattern.from_at, DestinationPattern.destination_id)
        .where(condition)
        .order_by(DestinationPattern.pattern_key, DestinationPattern.from_at)
    )
    found: dict[str, list[Turn]] = {}
    for key, from_at, destination_id in rows:
        found.setdefault(key, []).append(Turn(max(ALWAYS_MS, to_ms(from_at)), destination_id))
    return found


def turns_met(session: LockedSession, party: PartyNumber) -> dict[str, list[Turn]]:
    """The turns of the keys that one party meets."""
    return read_turns(session, DestinationPattern.pattern_key.in_(keys_met(party)))


def _read_held(session: LockedSession, condition: ColumnElement[bool]) -> dict[int, list[Turn]]:
    rows = session.execute(
        select(PartyHolder.party_id, PartyHolder.from_at, PartyHolder.destination_id)
        .join(Party, and_(Party.organization_id == PartyHolder.organization_id, Party.id == PartyHolder.party_id))
        .where(condition)
        .order_by(PartyHolder.party_id, PartyHolder.from_at)
    )
    found: dict[int, list[Turn]] = {}
    for party_id, from_at, destination_id in rows:
        found.setdefault(party_id, []).append(Turn(to_ms(from_at), destination_id))
    return found


def _store(session: LockedSession, held: Mapping[int, list[Turn]], wanted: Mapping[int, list[Turn]]) -> int:
    changed = [party_id for party_id, turns in wanted.items() if held.get(party_id, []) != turns]
    gone = [party_id for party_id in changed if party_id in held]
    for start in range(0, len(gone), _CHUNK):
        session.execute(
            delete(PartyHolder)
            .where(PartyHolder.party_id.in_(gone[start : start + _CHUNK]))
            .execution_options(synchronize_session=False)
        )
    rows: list[Any] = [
        PartyHolder(party_id=party_id, from_at=from_ms(turn.from_ms), destination_id=turn.destination_id)
        for party_id in changed
        for turn in wanted[party_id]
    ]
    session.add_all(rows)
    session.flush()
    for row in rows:
        session.expunge(row)
    return len(changed)
