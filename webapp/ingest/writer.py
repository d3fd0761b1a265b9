"""Stores the records of an import, batch by batch, and the calls that they make.

Called by importer.py alone. A batch is prepared outside the transaction (grouped by the ids that its rows name, and
assembled), then written inside one that is meant to last less than 100 ms. Records that are already there, that join
stored calls, or that come again with other content take the slower path through the stored records.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from webapp.database.bulk import BulkTransaction
from webapp.ingest.assembly import CallDraft, assemble
from webapp.ingest.call_writer import CallWriter, StoredCall, new_call, pack_ids
from webapp.ingest.normalize import NormalRecord
from webapp.ingest.numbers import NumberPlan
from webapp.ingest.records import maker
from webapp.ingest.stored_records import (
    RECORD_COLUMNS,
    StoredRecord,
    move_links,
    records_of_calls,
    replace_record,
    stored_by_key,
)

_DAY_STEP = 1 << 47  # link keys of the day before and after
_NEIGHBOURS = (-_DAY_STEP, 0, _DAY_STEP)
#: A call takes no more records than this: a column that was mapped wrongly would make every row join one call, and
#: each batch read all of it again.
MOST_RECORDS_OF_A_CALL = 400


class Group(NamedTuple):
    """Records of one batch that name the same call, and the call that they make if nothing stored joins them."""

    records: list[NormalRecord]
    draft: CallDraft


@dataclass
class Stored:
    """What a batch did."""

    stored: int = 0
    duplicates: int = 0
    calls: int = 0


@dataclass
class _Cluster:
    """Groups of the batch and stored calls (at least one) that prove to be one call; `size` counts its records."""

    groups: list[Group] = field(default_factory=list)
    call_keys: set[int] = field(default_factory=set)
    size: int = 0


class _Written(NamedTuple):
    """A call that is written now, and those of its records that are new."""

    call_key: int
    records: Sequence[NormalRecord]
    draft: CallDraft


_group, _written = maker(Group), maker(_Written)


class RecordWriter:
    """Writes the records of one import file."""

    def __init__(
        self, calls: CallWriter, plan: NumberPlan, pbx_id: int, import_file_id: int, *, only_missing: bool = False
    ) -> None:
        """`only_missing`: a row whose record is there with other content changes nothing (after an undo)."""
        self.calls = calls
        self._only_missing = only_missing
        self._plan = plan
        self._pbx_id = pbx_id
        self._import_file_id = import_file_id

    def prepare(self, records: Sequence[NormalRecord]) -> list[Group]:
        """Group the records of a batch by the ids they name, and assemble each group. Needs no database."""
        return [_group((group, assemble(group, self._plan))) for group in group_by_links(records)]

    def write(self, transaction: BulkTransaction, groups: Sequence[Group]) -> Stored:
        """Store a prepared batch; record keys are distinct within it."""
        done = Stored()
        keys = [record.record_key for records, _draft in groups for record in records]
        hits = stored_by_key(transaction, keys)
        changed: list[tuple[NormalRecord, StoredRecord]] = []
        if hits:
            taken = set(keys)
            left = [self._without_known(transaction, group, hits, taken, changed, done) for group in groups]
            groups = [group for group in left if group.records]
        stored, alone, clusters = self._clusters(transaction, groups, changed)
        self._write_calls(transaction, stored, alone, clusters, changed, done)
        return done

    def _without_known(
        self,
        transaction: BulkTransaction,
        group: Group,
        hits: dict[int, StoredRecord],
        taken: set[int],
        changed: list[tuple[NormalRecord, StoredRecord]],
        done: Stored,
    ) -> Group:
        """The group without records that are there already: itself where there are none.

        A key met by another id moves to the next one that is free, in the database and among those `taken` in this
        batch; a row that moved when it was stored is found there again.
        """
        if not any(record.record_key in hits for record in group.records):
            return group
        new = []
        for record in group.records:
            hit = hits.get(record.record_key)
            while hit is not None and hit.id_hash != record.id_hash:
                key = record.record_key + 1
                hit = stored_by_key(transaction, [key]).get(key)
                while hit is None and key in taken:
                    key += 1
                    hit = stored_by_key(transaction, [key]).get(key)
                record = record._replace(record_key=key)
            if hit is None:
                taken.add(record.record_key)
                new.append(record)
            elif hit.content_hash == record.content_hash or self._only_missing:
                done.duplicates += 1
            else:
                changed.append((record, hit))
        return Group(new, assemble(new, self._plan)) if new else Group([], group.draft)

    def _clusters(
        self, transaction: BulkTransaction, fresh: Sequence[Group], changed: Sequence[tuple[NormalRecord, StoredRecord]]
    ) -> tuple[dict[int, StoredCall], Sequence[Group], list[_Cluster]]:
        """Which groups and stored calls belong together, by the link keys of the day before, the same and the next.

        Gives the stored calls, the groups that none of them joins, and the rest. A stored call that is full is joined
        by nothing, so that its records need not be read.
        """
        keys = {key for records, _draft in fresh for record in records for key in record.link_keys}
        keys.update(key for record, _hit in changed for key in record.link_keys)
        linked = _linked_calls(transaction, keys)
        if not linked and not changed:
            return {}, fresh, []
        named = {call_key for calls in linked.values() for call_key in calls}
        asked = sorted(named | {hit.call_key for _record, hit in changed})
        stored = {call.call_key: call for call in self.calls.stored_calls(transaction, asked)}
        alone: list[Group] = []
        clusters: list[_Cluster] = []
        by_call: dict[int, _Cluster] = {}
        for group in fresh:
            calls = {key for record in group.records for key in _calls_of(record, linked)} if linked else set()
            if not calls or not _join(clusters, by_call, stored, calls, group):
                alone.append(group)
        for record, hit in changed:
            if hit.call_key not in by_call:
                clusters.append(_Cluster([], {hit.call_key}, stored[hit.call_key].record_count))
                by_call[hit.call_key] = clusters[-1]
            _join(clusters, by_call, stored, {hit.call_key, *_calls_of(record, linked)}, None)
        return stored, alone, clusters

    def _write_calls(
        self,
        transaction: BulkTransaction,
        stored: dict[int, StoredCall],
        alone: Sequence[Group],
        clusters: Sequence[_Cluster],
        changed: Sequence[tuple[NormalRecord, StoredRecord]],
        done: Stored,
    ) -> None:
        touched = sorted({call_key for cluster in clusters for call_key in cluster.call_keys})
        for record, hit in changed:
            replace_record(transaction, record, hit, self._import_file_id)
            done.stored += 1
        old_records = records_of_calls(transaction, touched)
        written = [_written((records[0].record_key, records, draft)) for records, draft in alone]
        for cluster in clusters:
            if not cluster.size:  # joined to another
                continue
            call = self._call_of(cluster, old_records)
            written.append(call)
            for dissolved in cluster.call_keys:
                if dissolved != call.call_key:
                    move_links(transaction, dissolved, call.call_key, old_records.get(dissolved, ()))
        done.calls += len(written) - len(touched)
        done.stored += self._insert_records(transaction, written)
        new = [new_call((call_key, self._pbx_id, draft)) for call_key, _records, draft in written]
        self.calls.replace(transaction, [stored[key] for key in touched], new)

    def _call_of(self, cluster: _Cluster, old_records: dict[int, list[NormalRecord]]) -> _Written:
        """The call that a cluster becomes."""
        records = [record for group in cluster.groups for record in group.records]
        call_key = min(cluster.call_keys)
        earlier = [record for key in cluster.call_keys for record in old_records.get(key, ())]
        return _Written(call_key, records, assemble([*earlier, *records], self._plan))

    def _insert_records(self, transaction: BulkTransaction, written: Sequence[_Written]) -> int:
        """Insert the new records of these calls, and the links to them; gives the number of records."""
        organization_id, pbx_id, import_file_id = transaction.organization_id, self._pbx_id, self._import_file_id
        rows: list[tuple[object, ...]] = []
        links: list[tuple[int, int, int]] = []
        for call_key, records, _draft in written:
            named: tuple[int, ...] | None = None
            packed = b""
            for record in records:
                link_keys = record[3]
                if link_keys is not named:  # most rows of a call share theirs
                    links += [(key, call_key, organization_id) for key in link_keys]
                    named, packed = link_keys, pack_ids(link_keys)
                head = organization_id, pbx_id, import_file_id, 1, call_key
                rows.append((*head, *record[:3], packed, *record[4:]))
        transaction.insert("call_record", RECORD_COLUMNS, rows)
        transaction.insert(
            "call_link", ("link_key", "call_key", "organization_id"), sorted(set(links)), "ON CONFLICT DO NOTHING"
        )
        return len(rows)


def group_by_links(records: Sequence[NormalRecord]) -> list[list[NormalRecord]]:
    """Records of one batch by the ids they name, joined over neighbouring days; in the order of their first row."""
    group_of: dict[int, list[NormalRecord]] = {}
    groups: dict[int, list[NormalRecord]] = {}
    home: list[NormalRecord] = []
    last_keys: tuple[int, ...] = ()
    for record in records:
        link_keys = record.link_keys
        if link_keys and link_keys is last_keys and len(home) < MOST_RECORDS_OF_A_CALL:
            home.append(record)  # the rows of one call follow each other, and share their keys
            continue
        found = _joined(link_keys, group_of, groups)
        if found is None or len(found) >= MOST_RECORDS_OF_A_CALL:
            found = []
            groups[id(found)] = found
        found.append(record)
        for key in link_keys:
            group_of[key] = found
        home, last_keys = found, link_keys
    return list(groups.values())


def _joined(
    link_keys: tuple[int, ...], group_of: dict[int, list[NormalRecord]], groups: dict[int, list[NormalRecord]]
) -> list[NormalRecord] | None:
    """The group that these keys name, on the day before, the same or the next; several become one where they fit."""
    home: list[NormalRecord] | None = None
    for key in link_keys:
        for near in (key, key - _DAY_STEP, key + _DAY_STEP):
            other = group_of.get(near)
            if other is None or other is home:
                continue
            if home is None:
                home = other
            elif len(home) + len(other) <= MOST_RECORDS_OF_A_CALL:
                home.extend(other)
                for moved in other:
                    group_of.update(dict.fromkeys(moved.link_keys, home))
                del groups[id(other)]
    return home


def _linked_calls(transaction: BulkTransaction, keys: set[int]) -> dict[int, set[int]]:
    """Stored calls by the link keys that name them, for these keys on the day before, the same and the next."""
    # Two statements: asked for both at once, SQLite reads every key.
    [(oldest,)] = transaction.rows(
        "SELECT min(link_key) FROM call_link WHERE organization_id = ?", transaction.organization_id
    )
    [(newest,)] = transaction.rows(
        "SELECT max(link_key) FROM call_link WHERE organization_id = ?", transaction.organization_id
    )
    if oldest is None or newest is None or not keys:
        return {}
    # Most files are in order: the next day has no calls yet, and need not be asked.
    first, last = min(keys), max(keys)
    steps = [step for step in _NEIGHBOURS if first + step <= newest and last + step >= oldest]
    asked = [key + step for step in steps for key in keys]
    linked: dict[int, set[int]] = {}
    for link_key, call_key in transaction.rows_in(
        "SELECT link_key, call_key FROM call_link WHERE organization_id = ? AND link_key IN ({keys})",
        asked,
        transaction.organization_id,
    ):
        linked.setdefault(link_key, set()).add(call_key)
    return linked


def _calls_of(record: NormalRecord, linked: dict[int, set[int]]) -> set[int]:
    """The stored calls that a record's link keys name."""
    return {call_key for key in record.link_keys for step in _NEIGHBOURS for call_key in linked.get(key + step, ())}


def _join(
    clusters: list[_Cluster],
    by_call: dict[int, _Cluster],
    stored: dict[int, StoredCall],
    calls: set[int],
    group: Group | None,
) -> bool:
    """Put a group and the stored calls it joins into one cluster, with the clusters these calls are in.

    False, and nothing done, where they would be too many records for one call, or no such call is there.
    """
    homes: list[_Cluster] = []
    loose = set()
    for key in calls:
        home = by_call.get(key)
        if home is not None:
            if all(home is not other for other in homes):
                homes.append(home)
        elif key in stored and stored[key].record_count < MOST_RECORDS_OF_A_CALL:
            loose.add(key)
    size = sum(home.size for home in homes) + sum(stored[key].record_count for key in loose)
    size += len(group.records) if group is not None else 0
    if not (homes or loose) or size > MOST_RECORDS_OF_A_CALL:
        return False
    if not homes:
        homes = [_Cluster()]
        clusters.append(homes[0])
    cluster = homes[0]
    for other in homes[1:]:
        cluster.groups += other.groups
        cluster.call_keys |= other.call_keys
        by_call.update(dict.fromkeys(other.call_keys, cluster))
        other.groups, other.call_keys, other.size = [], set(), 0
    cluster.call_keys |= loose
    cluster.size = size
    by_call.update(dict.fromkeys(loose, cluster))
    if group is not None:
        cluster.groups.append(group)
    return True
