"""Writes party_holder: whose each party is, worked out from the patterns. Called by actions.py after every change.

A change of a pattern concerns the parties that the pattern meets; which of the others meet them too decides, so all
keys that could are read, the parties' turns are worked out (matching.py), and only what differs is written. Parties
that are new with an import get theirs from ingest/parties.py; whoever makes one besides calls write_holders_of().
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, delete, select

from webapp.clock import to_ms
from webapp.destinations.matching import ALWAYS_MS, Matcher, PartyNumber, Pattern, Turn, keys_met
from webapp.destinations.models import DestinationPattern, Party, PartyHolder, PartyKind, PatternKind
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.many_rows import insert_rows

_CHUNK = 500  #: of keys or ids in one statement
_LAST_DIGITS = "9" * 15  #: no E.164 is longer


class _Scope(NamedTuple):
    """Parties, and the patterns besides prefixes that may name them."""

    parties: ColumnElement[bool]
    patterns: ColumnElement[bool]


def write_holders(session: LockedSession, patterns: Iterable[Pattern]) -> int:
    """Work out anew whose the parties are that these patterns meet, and store it. Gives how many parties changed.

    The organization is held by the caller (hold_organization), and the patterns are flushed.
    """
    patterns = list(dict.fromkeys(patterns))
    if not patterns:
        return 0
    prefixes = read_turns(session, DestinationPattern.kind == PatternKind.PREFIX)
    return sum(_write_scope(session, scope, prefixes) for scope in _scopes(patterns))


def write_holders_of(session: LockedSession, parties: Sequence[Party]) -> None:
    """The same for parties that are new, and flushed."""
    for party in parties:
        number = PartyNumber(party.kind, party.digits, party.pbx_id)
        turns = Matcher(turns_met(session, number)).list_turns(number)
        _store(session, _read_held(session, Party.id == party.id), {party.id: turns})


def _write_scope(session: LockedSession, scope: _Scope, prefixes: Mapping[str, Sequence[Turn]]) -> int:
    parties = session.execute(select(Party.id, Party.kind, Party.digits, Party.pbx_id).where(scope.parties)).all()
    if not parties:
        return 0
    matcher = Matcher({**prefixes, **read_turns(session, scope.patterns)})
    wanted = {id_: matcher.list_turns(PartyNumber(kind, digits, pbx_id)) for id_, kind, digits, pbx_id in parties}
    return _store(session, _read_held(session, scope.parties), wanted)


def _scopes(patterns: Sequence[Pattern]) -> Iterator[_Scope]:
    """A prefix by itself, the rest many at a time."""
    for pattern in patterns:
        if pattern.kind == PatternKind.PREFIX:
            begins_so = _begins_with(pattern.digits)
            numbers = DestinationPattern.pattern_key.in_(select(Party.identity).where(begins_so))
            yield _Scope(begins_so, and_(DestinationPattern.kind == PatternKind.NUMBER, numbers))
    for keys in _chunks([pattern.key for pattern in patterns if pattern.kind == PatternKind.NUMBER]):
        yield _Scope(Party.identity.in_(keys), DestinationPattern.pattern_key.in_(keys))
    # One of a single phone system may take a party from the one of all, so all of these digits are asked.
    inside = {pattern.digits for pattern in patterns if pattern.kind == PatternKind.EXTENSION}
    for digits in _chunks(sorted(inside)):
        extensions = and_(DestinationPattern.kind == PatternKind.EXTENSION, DestinationPattern.digits.in_(digits))
        yield _Scope(and_(Party.kind != PartyKind.OUTSIDE, Party.digits.in_(digits)), extensions)


def _begins_with(prefix: str) -> ColumnElement[bool]:
    """Outside numbers with this prefix. The identity is what an index has; in every collation digits are in order."""
    return and_(
        Party.identity.between(f"+{prefix}", f"+{prefix}{_LAST_DIGITS}"),
        Party.kind == PartyKind.OUTSIDE,
        Party.digits.startswith(prefix),
    )


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK))


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
    changed = sorted(party_id for party_id, turns in wanted.items() if held.get(party_id, []) != turns)
    gone = [party_id for party_id in changed if party_id in held]
    for start in range(0, len(gone), _CHUNK):
        session.execute(
            delete(PartyHolder)
            .where(PartyHolder.party_id.in_(gone[start : start + _CHUNK]))
            .execution_options(synchronize_session=False)
        )
    rows = [(party_id, *turn) for party_id in changed for turn in wanted[party_id]]
    insert_rows(session, PartyHolder, ("party_id", "from_at", "destination_id"), rows)
    return len(changed)
