"""What a file of contacts would change, and then does: a batch of its lines at a time, the same way both times.

A line adds a destination, or adds its numbers and words to the one that has its name; nothing is ever taken away, so a
file that was half stored can be stored again. Called by contact_jobs.py, which commits each batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select

from webapp.clock import now_ms
from webapp.database.ids import new_id
from webapp.destinations.actions import Described, add_destination, change_destination
from webapp.destinations.contact_rows import BadContact, Contact
from webapp.destinations.holders import read_turns, write_holders
from webapp.destinations.listing import get_names, list_members, list_patterns
from webapp.destinations.matching import ALWAYS_MS, Pattern, Turn, holder_at
from webapp.destinations.models import Destination, DestinationKind, DestinationPattern
from webapp.destinations.turns import tell_pattern
from webapp.errors import Refused
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.many_rows import insert_rows

_IN_FILE = 0  #: in the place of an id: an earlier line of this file adds it
_KEYS_AT_ONCE = 500
_DESTINATION_COLUMNS = ("id", "kind", "name", "colour", "note", "version", "created_at", "changed_at", "changed_by")
_PATTERN_COLUMNS = ("pattern_key", "from_at", "destination_id", "kind", "digits", "pbx_id", "created_at", "created_by")


REFUSED_KEPT = 200  #: refused lines that are shown; all are counted


@dataclass
class Tally:
    """What became of the lines so far. `bad`: the first refused ones."""

    added: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0
    bad: list[BadContact] = field(default_factory=list)

    @property
    def lines(self) -> int:
        return self.added + self.changed + self.same + self.refused

    def refuse(self, line: BadContact) -> None:
        self.refused += 1
        if len(self.bad) < REFUSED_KEPT:
            self.bad.append(line)


class Directory:
    """The names that are taken, those of earlier lines of the file included. One for each pass over a file."""

    def __init__(self, session: LockedSession) -> None:
        self.claimed: dict[str, str] = {}  #: names by the keys of patterns that lines of this file bring
        self._ids: dict[str, int] = {}
        self._twice: set[str] = set()
        for row in session.execute(select(Destination.id, Destination.name).where(Destination.archived_at.is_(None))):
            key = row.name.casefold()
            self._twice |= {key} if key in self._ids else set()
            self._ids[key] = row.id

    def find(self, name: str) -> int | None:
        """Raises Refused for a name that more than one has."""
        key = name.casefold()
        if key in self._twice:
            raise Refused(f"More than one is called {name}, so it is not clear which is meant.")
        return self._ids.get(key)

    def remember(self, name: str, destination_id: int) -> None:
        self._ids[name.casefold()] = destination_id


class Batch:
    """Some lines, with what is there already of what they name, read at once."""

    def __init__(self, session: LockedSession, directory: Directory, lines: Sequence[Contact | BadContact]) -> None:
        self._session, self._directory, self._lines = session, directory, lines
        contacts = [line for line in lines if isinstance(line, Contact)]
        self._turns = _read_turns(session, {pattern.key for each in contacts for pattern in each.patterns})
        self._moment = now_ms()
        held = {holder_at(turns, self._moment) for turns in self._turns.values()}
        self._holders = get_names(session, {each for each in held if each is not None})
        self._fresh: dict[int, Contact] = {}  #: new ones that are written together, by id

    def look(self, tally: Tally) -> None:
        """Count what the lines would change. Writes nothing."""
        for line in self._lines:
            self._take(line, tally, None, writes=False)

    def store(self, tally: Tally, actor_id: int | None) -> None:
        """Store the lines and count them. The organization is held by the caller."""
        for line in self._lines:
            self._take(line, tally, actor_id, writes=True)
        self._write_fresh(actor_id)

    def _take(self, line: Contact | BadContact, tally: Tally, actor_id: int | None, *, writes: bool) -> None:
        if isinstance(line, BadContact):
            tally.refuse(line)
            return
        try:
            known = self._directory.find(line.name)
            self._check_patterns(line, known)
            if known is None:
                self._directory.remember(line.name, self._add(line, actor_id) if writes else self._would_add(line))
                tally.added += 1
            elif self._change(line, known, actor_id, writes=writes):
                tally.changed += 1
            else:
                tally.same += 1
        except Refused as refusal:
            tally.refuse(BadContact(line.line, refusal.sentence))
            return
        self._directory.claimed |= {pattern.key: line.name for pattern in line.patterns}

    def _check_patterns(self, contact: Contact, known: int | None) -> None:
        """Raises Refused, with both named, for what is another's, here or in an earlier line."""
        for pattern in contact.patterns:
            holder_id = holder_at(self._turns.get(pattern.key, ()), self._moment)
            claimed = self._directory.claimed.get(pattern.key, contact.name)
            if holder_id is not None and holder_id != known:
                raise Refused(f"{tell_pattern(pattern)} is {self._holders.get(holder_id, 'somebody')} already.")
            if claimed.casefold() != contact.name.casefold():
                raise Refused(f"{tell_pattern(pattern)} is {claimed} in an earlier line.")

    def _would_add(self, contact: Contact) -> int:
        _members_of(self._session, contact)
        _check_zone(contact.kind, contact.patterns)
        return _IN_FILE

    def _add(self, contact: Contact, actor_id: int | None) -> int:
        """The plain ones together at the end; what has people, or had an owner once, by the way of the form."""
        self._would_add(contact)
        if contact.members or any(pattern.key in self._turns for pattern in contact.patterns):
            self._write_fresh(actor_id)
            with self._session.begin_nested():  # a refused line leaves nothing behind, here and below
                return add_destination(self._session, _described(self._session, contact), actor_id=actor_id).id
        destination_id = new_id()
        self._fresh[destination_id] = contact
        return destination_id

    def _change(self, contact: Contact, known: int, actor_id: int | None, *, writes: bool) -> bool:
        """Whether there was, or would be, anything to change."""
        if known == _IN_FILE:
            return any(pattern.key not in self._directory.claimed for pattern in contact.patterns)
        if known in self._fresh:
            self._write_fresh(actor_id)
        destination = self._session.get_one(Destination, (self._session.organization_id, known))
        before = _as_stored(self._session, destination)
        after = _with_contact(self._session, before, contact)
        if after == before:
            return False
        _check_zone(after.kind, after.patterns)
        if writes:
            with self._session.begin_nested():
                change_destination(self._session, known, destination.version, after, actor_id=actor_id)
        return True

    def _write_fresh(self, actor_id: int | None) -> None:
        fresh, self._fresh = self._fresh, {}
        if not fresh:
            return
        moment = self._moment
        rows = [
            (key, _kind_of(each), each.name, each.colour or 0, each.note, 1, moment, moment, actor_id)
            for key, each in fresh.items()
        ]
        patterns = [(key, pattern) for key, each in fresh.items() for pattern in each.patterns]
        insert_rows(self._session, Destination, _DESTINATION_COLUMNS, rows)
        insert_rows(
            self._session,
            DestinationPattern,
            _PATTERN_COLUMNS,
            [(p.key, ALWAYS_MS, key, int(p.kind), p.digits, p.pbx_id, moment, actor_id) for key, p in patterns],
        )
        write_holders(self._session, [pattern for _key, pattern in patterns])


def _read_turns(session: LockedSession, keys: set[str]) -> dict[str, list[Turn]]:
    ordered, found = sorted(keys), dict[str, list[Turn]]()
    for start in range(0, len(ordered), _KEYS_AT_ONCE):
        some = ordered[start : start + _KEYS_AT_ONCE]
        found |= read_turns(session, DestinationPattern.pattern_key.in_(some))
    return found


def _check_zone(kind: DestinationKind | None, patterns: Sequence[Pattern]) -> None:
    """As set_patterns() does, which is not asked before the line is stored."""
    if kind == DestinationKind.ZONE and not patterns:
        raise Refused("A zone is recognised by the beginning of its numbers: write one, such as +44 1632*.")


def _kind_of(contact: Contact) -> int:
    """Of a new one whose line does not say: a person inside, a contact outside."""
    if contact.kind is not None:
        return int(contact.kind)
    inside = any(pattern.pbx_id is not None or not _is_outside(pattern) for pattern in contact.patterns)
    return int(DestinationKind.PERSON if inside else DestinationKind.CONTACT)


def _is_outside(pattern: Pattern) -> bool:
    return pattern.key.startswith("+")


def _described(session: LockedSession, contact: Contact) -> Described:
    return Described(
        kind=DestinationKind(_kind_of(contact)),
        name=contact.name,
        patterns=contact.patterns,
        colour=contact.colour or 0,
        note=contact.note,
        members=_members_of(session, contact),
    )


def _as_stored(session: LockedSession, destination: Destination) -> Described:
    members = list_members(session, destination.id) if destination.kind == DestinationKind.TEAM else []
    return Described(
        kind=destination.kind,
        name=destination.name,
        patterns=tuple(list_patterns(session, [destination.id])[destination.id]),
        colour=destination.colour,
        note=destination.note,
        members=frozenset(each.id for each in members),
    )


def _with_contact(session: LockedSession, stored: Described, contact: Contact) -> Described:
    """What is there, with what the line says besides."""
    return replace(
        stored,
        kind=contact.kind or stored.kind,
        patterns=tuple(dict.fromkeys((*stored.patterns, *contact.patterns))),
        colour=stored.colour if contact.colour is None else contact.colour,
        note=contact.note or stored.note,
        members=stored.members | _members_of(session, contact),
    )


def _members_of(session: LockedSession, contact: Contact) -> frozenset[int]:
    """Raises Refused for people who are not there yet: they stand in earlier lines."""
    if not contact.members:
        return frozenset()
    people = select(Destination.id, Destination.name).where(
        Destination.kind == DestinationKind.PERSON,
        Destination.archived_at.is_(None),
        Destination.name.in_(contact.members),
    )
    found = {row.name: row.id for row in session.execute(people)}
    missing = [name for name in contact.members if name not in found]
    if missing:
        raise Refused(f"There is no person called {missing[0][:60]}. Import the people first, then their teams.")
    return frozenset(found.values())
