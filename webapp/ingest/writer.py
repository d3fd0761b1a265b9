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
from webapp.ingest.call_writer import CallWriter, NewCall, pack_ids
from webapp.ingest.normalize import NormalRecord
from webapp.ingest.numbers import NumberPlan
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
#: A call with more records than this takes no further ones: a column that was mapped wrongly would make every row
#: join one call, and each batch read all of it again.
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
    """Groups of the batch and stored calls that prove to be one call."""

    groups: list[Group] = field(default_factory=list)
    call_keys: set[int] = field(default_factory=set)


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
        return [Group(group, assemble(group, self._plan)) for group in group_by_links(records)]

    def write(self, transaction: BulkTransaction, groups: Sequence[Group]) -> Stored:
        """Store a prepared batch; record keys are distinct within it."""
        done = Stored()
        hits = stored_by_key(transaction, [record.record_key for group in groups for record in group.records])
        changed: list[tuple[NormalRecord, StoredRecord]] = []
        fresh: list[Group] = []
        for group in groups:
            if hits and any(record.record_key in hits for record in group.records):
                group = self._without_known(transaction, group, hits, changed, done)
            if group.records:
                fresh.append(group)
        clusters = self._clusters(transaction, fresh, changed)
        self._write_clusters(transaction, clusters, changed, done)
        return done

    def _without_known(
        self,
        transaction: BulkTransaction,
        group: Group,
        hits: dict[int, StoredRecord],
        changed: list[tuple[NormalRecord, StoredRecord]],
        done: Stored,
    ) -> Group:
        """The group without records that are there already; a key met by another id moves to the next free one."""
        new = []
        for record in group.records:
            hit = hits.get(record.record_key)
            while hit is not None and hit.id_hash != record.id_hash:
                record = record._replace(record_key=record.record_key + 1)
                hit = stored_by_key(transaction, [record.record_key]).get(record.record_key)
            if hit is None:
                new.append(record)
            elif hit.content_hash == record.content_hash or self._only_missing:
                done.duplicates += 1
            else:
                changed.append((record, hit))
        return Group(new, assemble(new, self._plan)) if new else Group([], group.draft)

    def _clusters(
        self, transaction: BulkTransaction, fresh: Sequence[Group], changed: Sequence[tuple[NormalRecord, StoredRecord]]
    ) -> list[_Cluster]:
        """Which groups and stored calls belong together, by the link keys of the day before, the same and the next."""
        linked = _linked_calls(
            transaction, {key for group in fresh for record in group.records for key in record.link_keys}
        )
        clusters: list[_Cluster] = []
        by_call: dict[int, _Cluster] = {}
        for group in fresh:
            calls: set[int] = set()
            if linked:
                for record in group.records:
                    for key in record.link_keys:
                        calls.update(*(linked.get(key + step, ()) for step in _NEIGHBOURS))
            if calls:
                _join(clusters, by_call, calls, group)
            else:
                clusters.append(_Cluster([group]))
        for _record, hit in changed:
            _join(clusters, by_call, {hit.call_key}, None)
        return clusters

    def _write_clusters(
        self,
        transaction: BulkTransaction,
        clusters: Sequence[_Cluster],
        changed: Sequence[tuple[NormalRecord, StoredRecord]],
        done: Stored,
    ) -> None:
        touched = sorted({call_key for cluster in clusters for call_key in cluster.call_keys})
        old = {call.call_key: call for call in self.calls.stored_calls(transaction, touched)}
        for record, hit in changed:
            replace_record(transaction, record, hit, self._import_file_id)
            done.stored += 1
        old_records = records_of_calls(transaction, touched)
        new_calls: list[NewCall] = []
        rows: list[tuple[object, ...]] = []
        links: set[tuple[int, int, int]] = set()
        for cluster in clusters:
            if cluster.call_keys:
                for key in [key for key in cluster.call_keys if old[key].record_count > MOST_RECORDS_OF_A_CALL]:
                    cluster.call_keys.remove(key)
                    old.pop(key)
                if not cluster.groups and not cluster.call_keys:
                    continue
            records = (
                cluster.groups[0].records
                if len(cluster.groups) == 1
                else [record for group in cluster.groups for record in group.records]
            )
            call_key = min(cluster.call_keys) if cluster.call_keys else records[0].record_key
            earlier = [record for key in cluster.call_keys for record in old_records.get(key, ())]
            draft = (
                cluster.groups[0].draft
                if not earlier and len(cluster.groups) == 1
                else assemble([*earlier, *records], self._plan)
            )
            new_calls.append(NewCall(call_key, self._pbx_id, draft))
            done.calls += 1 - len(cluster.call_keys)
            done.stored += len(records)
            rows.extend(self._row(transaction.organization_id, record, call_key) for record in records)
            links.update(
                [(transaction.organization_id, key, call_key) for record in records for key in record.link_keys]
            )
            for dissolved in cluster.call_keys - {call_key}:
                move_links(transaction, dissolved, call_key, old_records.get(dissolved, ()))
        transaction.insert("call_record", RECORD_COLUMNS, rows)
        transaction.insert(
            "call_link", ("organization_id", "link_key", "call_key"), sorted(links), "ON CONFLICT DO NOTHING"
        )
        self.calls.replace(transaction, list(old.values()), new_calls)

    def _row(self, organization_id: int, record: NormalRecord, call_key: int) -> tuple[object, ...]:
        return (
            organization_id,
            record.record_key,
            record.id_hash,
            record.content_hash,
            call_key,
            self._pbx_id,
            self._import_file_id,
            record.line_number,
            1,
            *record[5:29],
            pack_ids(record.link_keys),
            record.raw,
        )


def group_by_links(records: Sequence[NormalRecord]) -> list[list[NormalRecord]]:
    """Records of one batch by the ids they name, joined over neighbouring days; in the order of their first row."""
    group_of: dict[int, list[NormalRecord]] = {}
    groups: dict[int, list[NormalRecord]] = {}
    for record in records:
        home: list[NormalRecord] | None = None
        for key in record.link_keys:
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
        if home is None or len(home) >= MOST_RECORDS_OF_A_CALL:
            home = []
            groups[id(home)] = home
        home.append(record)
        group_of.update(dict.fromkeys(record.link_keys, home))
    return list(groups.values())


def _linked_calls(transaction: BulkTransaction, keys: set[int]) -> dict[int, set[int]]:
    """Stored calls by the link keys that name them, for these keys on the day before, the same and the next."""
    # Two statements: asked for both at once, SQLite reads every key.
    [(oldest,)] = transaction.rows(
        "SELECT min(link_key) FROM call_link WHERE organization_id = ?", transaction.organization_id
    )
    [(newest,)] = transaction.rows(
        "SELECT max(link_key) FROM call_link WHERE organization_id = ?", transaction.organization_id
    )
    if oldest is None or newest is None:
        return {}
    # Most files are in order: the next day has no calls yet, and need not be asked.
    asked = [near for key in keys for step in _NEIGHBOURS if oldest <= (near := key + step) <= newest]
    linked: dict[int, set[int]] = {}
    for link_key, call_key in transaction.rows_in(
        "SELECT link_key, call_key FROM call_link WHERE organization_id = ? AND link_key IN ({keys})",
        asked,
        transaction.organization_id,
    ):
        linked.setdefault(link_key, set()).add(call_key)
    return linked


def _join(clusters: list[_Cluster], by_call: dict[int, _Cluster], calls: set[int], group: Group | None) -> None:
    """Put a group and the stored calls it joins into one cluster, with the clusters these calls are in."""
    homes: list[_Cluster] = []
    for key in calls:
        home = by_call.get(key)
        if home is not None and all(home is not other for other in homes):
            homes.append(home)
    if homes:
        cluster = homes[0]
        for other in homes[1:]:
            cluster.groups += other.groups
            cluster.call_keys |= other.call_keys
            by_call.update(dict.fromkeys(other.call_keys, cluster))
            other.groups, other.call_keys = [], set()
    else:
        cluster = _Cluster()
        clusters.append(cluster)
    cluster.call_keys |= calls
    by_call.update(dict.fromkeys(calls, cluster))
    if group is not None:
        cluster.groups.append(group)
