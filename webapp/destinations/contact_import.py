"""What a file of contacts changes, decided line by line; looking at it and storing it are this same decision.

A line adds a destination, or adds its numbers and words to the one that has its name; nothing is ever taken away, so a
file that was half stored can be stored again. What lines leave behind counts for the lines after them: a team finds its
people in the same file. Called by contact_jobs.py, a batch at a time; contact_store.py writes what a batch has decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sqlalchemy import select

from webapp.clock import now_ms
from webapp.database.ids import new_id
from webapp.destinations.contact_known import Directory, Entry, read_entries
from webapp.destinations.contact_rows import BadContact, Contact
from webapp.destinations.contact_store import Decided, store_decided
from webapp.destinations.holders import read_turns_of
from webapp.destinations.listing import list_patterns
from webapp.destinations.matching import Pattern, holder_at
from webapp.destinations.models import Destination, DestinationKind, PatternKind
from webapp.destinations.turns import tell_pattern
from webapp.errors import Refused
from webapp.tenancy.lock import LockedSession

REFUSED_KEPT = 200  #: refused lines that are shown; all are counted
CHANGES_KEPT = 20  #: the same of lines that change something, and as many of those that add


class Change(NamedTuple):
    """What one line does: `before` is None of one that is not there yet; `gained` are the patterns that are new."""

    contact: Contact
    before: Entry | None
    after: Entry
    gained: tuple[Pattern, ...]


@dataclass
class Tally:
    """What became of the lines so far. `bad`: the first refused ones; what the first others do."""

    added: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0
    bad: list[BadContact] = field(default_factory=list)
    first_changed: list[Change] = field(default_factory=list)
    first_added: list[Change] = field(default_factory=list)

    @property
    def lines(self) -> int:
        return self.added + self.changed + self.same + self.refused

    def take(self, change: Change) -> None:
        if change.before is None:
            self.added += 1
            kept = self.first_added
        elif change.gained or change.after != change.before:
            self.changed += 1
            kept = self.first_changed
        else:
            self.same += 1
            return
        if len(kept) < CHANGES_KEPT:
            kept.append(change)

    def refuse(self, line: BadContact) -> None:
        self.refused += 1
        if len(self.bad) < REFUSED_KEPT:
            self.bad.append(line)


class Batch:
    """Some lines, with what is there already of what they name, read at once."""

    def __init__(self, session: LockedSession, directory: Directory, lines: Sequence[Contact | BadContact]) -> None:
        self._session, self._directory, self._lines = session, directory, lines
        contacts = [line for line in lines if isinstance(line, Contact)]
        self._turns = read_turns_of(session, {pattern.key for each in contacts for pattern in each.patterns})
        self._moment = now_ms()
        held = {holder_at(turns, self._moment) for turns in self._turns.values()}
        self._holders = _read_holders(session, {each for each in held if each is not None})
        named = [(line, each) for line in contacts for each in directory.list_ids(line.name)]
        self._entries = read_entries(session, {each for _line, each in named} - directory.left.keys())
        kinds = [(each, (line.kind, directory.entry(each, self._entries).kind)) for line, each in named]
        zones = {each for each, either in kinds if DestinationKind.ZONE in either}
        patterns = list_patterns(session, zones) if zones else {}
        self._recognised = {each for each in zones if patterns[each]}
        self._decided = Decided(self._entries, self._turns, self._moment)

    def look(self, tally: Tally) -> None:
        """Count what the lines would change. Writes nothing."""
        for line in self._lines:
            self._take(line, tally)

    def store(self, tally: Tally, actor_id: int | None) -> None:
        """Store the lines and count them. The organization is held by the caller."""
        self.look(tally)
        store_decided(self._session, self._decided, self._directory, actor_id)
        self._directory.forget()

    def _take(self, line: Contact | BadContact, tally: Tally) -> None:
        if isinstance(line, BadContact):
            tally.refuse(line)
            return
        try:
            known = self._directory.find(line.name)
            gained = self._check_patterns(line, known)
            before = None if known is None else self._directory.entry(known, self._entries)
            after = self._leave(line, before)
        except Refused as refusal:
            tally.refuse(BadContact(line.line, refusal.sentence, line.cells))
            return
        tally.take(Change(line, before, after, tuple(gained)))
        if gained or after != before:
            self._directory.leave(line.name, after, with_patterns=bool(gained))
            self._decided.take(after.id, gained, line.name if before is None else None)
        self._directory.claimed |= {pattern.key: line.name for pattern in line.patterns}

    def _check_patterns(self, contact: Contact, known: int | None) -> list[Pattern]:
        """Those that it gains. Raises Refused, with both named, for what is another's, here or in an earlier line."""
        gained = []
        for pattern in contact.patterns:
            claimed = self._directory.claimed.get(pattern.key)
            if claimed is not None:
                if claimed.casefold() != contact.name.casefold():
                    raise Refused(f"{tell_pattern(pattern)} is {claimed} in an earlier line.")
                continue
            holder_id = holder_at(self._turns.get(pattern.key, ()), self._moment)
            if holder_id is None:
                gained.append(pattern)
            elif holder_id != known:
                raise Refused(f"{tell_pattern(pattern)} is {self._holders.get(holder_id, 'somebody')} already.")
        return gained

    def _leave(self, contact: Contact, before: Entry | None) -> Entry:
        """What is there, with what the line says besides."""
        members = self._directory.find_people(contact.members)
        if before is None:
            before = Entry(new_id(), _kind_of(contact), 0, "")
        kind = contact.kind or before.kind
        recognised = before.id in self._recognised or before.id in self._directory.recognised
        if kind == DestinationKind.ZONE and not (contact.patterns or recognised):
            raise Refused("A zone is recognised by the beginning of its numbers: write one, such as +44 1632*.")
        if members and kind != DestinationKind.TEAM:
            raise Refused("Only a team has people. Write Team as its kind, or leave its people out.")
        if before.id in members:
            raise Refused("It cannot be one of its own people.")
        return replace(
            before,
            kind=kind,
            colour=before.colour if contact.colour is None else contact.colour,
            note=contact.note or before.note,
            members=before.members | members if kind == DestinationKind.TEAM else frozenset(),
        )


def _read_holders(session: LockedSession, ids: set[int]) -> dict[int, str]:
    """As a refusal calls them: of an archived one no list shows the name."""
    rows = session.execute(
        select(Destination.id, Destination.name, Destination.archived_at).where(Destination.id.in_(sorted(ids)))
    )
    return {row.id: row.name if row.archived_at is None else f"{row.name} (archived)" for row in rows}


def _kind_of(contact: Contact) -> DestinationKind:
    """Of a new one whose line does not say: a person inside, a contact outside."""
    if contact.kind is not None:
        return contact.kind
    inside = any(pattern.kind == PatternKind.EXTENSION for pattern in contact.patterns)
    return DestinationKind.PERSON if inside else DestinationKind.CONTACT
