"""Writes party_holder: whose each party is, worked out from the patterns. Called by actions.py after every change.

A change of a pattern concerns the parties that the pattern meets; which of the others meet them too decides, so all
keys that could are read, the parties' turns are worked out (matching.py), and only what differs is written. Parties
that are new with an import get theirs from ingest/parties.py; whoever makes one besides calls write_holders_of().
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, SmallInteger, and_, delete, select, type_coerce, update

from webapp.clock import from_ms, to_ms
from webapp.destinations.matching import ALWAYS_MS, Matcher, PartyNumber, Pattern, Turn, keys_met
from webapp.destinations.models import DestinationPattern, Party, PartyHolder, PartyKind, PatternKind
from webapp.destinations.plans import list_pbx_ids
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.many_rows import insert_rows

_CHUNK = 1000  #: keys or ids in one statement
_FEW = 200  #: parties whose keys are asked one by one: no index knows which patterns are prefixes
_UNSEEN = {"synchronize_session": False}  #: nobody holds these rows as objects
_LAST_DIGITS = "9" * 15  #: no E.164 is longer


#: From when on a party is whose: destination ids by the milliseconds of from_at.
_Held = dict[int, int | None]


class _Scope(NamedTuple):
    """Parties, and the patterns besides prefixes that may name them."""

    parties: ColumnElement[bool]
    patterns: ColumnElement[bool]


def write_holders(session: LockedSession, patterns: Iterable[Pattern]) -> int:
    """Work out anew whose the parties are that these patterns meet, and store it. Gives how many parties changed.

    The organization is held by the caller (hold_organization), and the patterns are flushed.
    """
    return sum(_write_scope(session, scope) for scope in _scopes(session, list(dict.fromkeys(patterns))))


def write_holders_of(session: LockedSession, parties: Sequence[Party]) -> None:
    """The same for parties that are new, and flushed."""
    for party in parties:
        met = DestinationPattern.pattern_key.in_(keys_met(PartyNumber(party.kind, party.digits, party.pbx_id)))
        _write_scope(session, _Scope(Party.id == party.id, met))


def _write_scope(session: LockedSession, scope: _Scope) -> int:
    numbers, held = _read_parties(session, scope.parties)
    if not numbers:
        return 0
    matcher = Matcher(_read_known(session, scope, numbers.values()))
    return _store(session, held, {id_: dict(matcher.list_turns(number)) for id_, number in numbers.items()})


def _read_known(
    session: LockedSession, scope: _Scope, numbers: Collection[PartyNumber]
) -> Mapping[str, Sequence[Turn]]:
    """The turns of all that may name these parties: of a few parties by key, of many with every prefix there is."""
    if len(numbers) <= _FEW:
        return read_turns_of(session, {key for number in numbers for key in keys_met(number)})
    prefixes = read_turns(session, DestinationPattern.kind == PatternKind.PREFIX)
    return {**prefixes, **read_turns(session, scope.patterns)}


def _scopes(session: LockedSession, patterns: Sequence[Pattern]) -> Iterator[_Scope]:
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
    pbx_ids = list_pbx_ids(session) if inside else None
    for digits in _chunks(sorted(inside), _CHUNK // len(pbx_ids or [0])):
        extensions = and_(DestinationPattern.kind == PatternKind.EXTENSION, DestinationPattern.digits.in_(digits))
        yield _Scope(_inside(digits, pbx_ids), extensions)


def _inside(digits: Sequence[str], pbx_ids: Sequence[int] | None) -> ColumnElement[bool]:
    """Whoever is dialled so, but for outside numbers. The identity is what an index has, the digits are not."""
    if pbx_ids is None:
        return and_(Party.kind != PartyKind.OUTSIDE, Party.digits.in_(digits))
    identities = [f"{pbx_id}:{each}" for pbx_id in pbx_ids for each in digits]
    return and_(Party.kind != PartyKind.OUTSIDE, Party.identity.in_(identities))


def _begins_with(prefix: str) -> ColumnElement[bool]:
    """Outside numbers with this prefix. The identity is what an index has; in every collation digits are in order."""
    return and_(
        Party.identity.between(f"+{prefix}", f"+{prefix}{_LAST_DIGITS}"),
        Party.kind == PartyKind.OUTSIDE,
        Party.digits.startswith(prefix),
    )


def _chunks(keys: Sequence[str], size: int = 0) -> Iterator[Sequence[str]]:
    size = max(1, size or _CHUNK)
    return (keys[start : start + size] for start in range(0, len(keys), size))


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


def read_turns_of(session: LockedSession, keys: Collection[str]) -> dict[str, list[Turn]]:
    """The turns of these keys."""
    found: dict[str, list[Turn]] = {}
    for some in _chunks(sorted(keys)):
        found |= read_turns(session, DestinationPattern.pattern_key.in_(some))
    return found


def turns_met(session: LockedSession, party: PartyNumber) -> dict[str, list[Turn]]:
    """The turns of the keys that one party meets."""
    return read_turns(session, DestinationPattern.pattern_key.in_(keys_met(party)))


def _read_parties(
    session: LockedSession, condition: ColumnElement[bool]
) -> tuple[dict[int, PartyNumber], dict[int, _Held]]:
    """The parties by id, and whose they are as it is stored: in one statement, since ten thousand may be asked for."""
    its = and_(PartyHolder.organization_id == Party.organization_id, PartyHolder.party_id == Party.id)
    numbers: dict[int, PartyNumber] = {}
    held: dict[int, _Held] = {}
    for party_id, kind, digits, pbx_id, from_at, destination_id in session.execute(
        select(
            Party.id,
            type_coerce(Party.kind, SmallInteger),  # no need of ten thousand PartyKinds
            Party.digits,
            Party.pbx_id,
            PartyHolder.from_at,
            PartyHolder.destination_id,
        )
        .outerjoin(PartyHolder, its)
        .where(condition)
    ):
        numbers[party_id] = PartyNumber(kind, digits, pbx_id)
        if from_at is not None:
            held.setdefault(party_id, {})[to_ms(from_at)] = destination_id
    return numbers, held


def _store(session: LockedSession, held: Mapping[int, _Held], wanted: Mapping[int, _Held]) -> int:
    """Write the difference: a hand-over is one row for each party, not its whole history anew."""
    changed = [party_id for party_id, turns in wanted.items() if held.get(party_id, {}) != turns]
    new: list[tuple[int, int, int | None]] = []
    gone: dict[int, list[int]] = {}
    passed_on: dict[tuple[int, int | None], list[int]] = {}
    for party_id in changed:
        before, after = held.get(party_id, {}), wanted[party_id]
        for ms in before.keys() - after.keys():
            gone.setdefault(ms, []).append(party_id)
        for ms, destination_id in after.items():
            if ms not in before:
                new.append((party_id, ms, destination_id))
            elif before[ms] != destination_id:
                passed_on.setdefault((ms, destination_id), []).append(party_id)
    for ms, ids in gone.items():
        for condition in _rows_of(ids, ms):
            session.execute(delete(PartyHolder).where(condition), execution_options=_UNSEEN)
    for (ms, destination_id), ids in passed_on.items():
        for condition in _rows_of(ids, ms):
            session.execute(
                update(PartyHolder).where(condition).values(destination_id=destination_id), execution_options=_UNSEEN
            )
    insert_rows(session, PartyHolder, ("party_id", "from_at", "destination_id"), new)
    return len(changed)


def _rows_of(party_ids: Sequence[int], ms: int) -> Iterator[ColumnElement[bool]]:
    for start in range(0, len(party_ids), _CHUNK):
        some = party_ids[start : start + _CHUNK]
        yield and_(PartyHolder.party_id.in_(some), PartyHolder.from_at == from_ms(ms))
