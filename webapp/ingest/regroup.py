"""Builds calls again from the records that they still have. Used by undo.py and reread.py inside their transactions."""

from collections.abc import Mapping, Sequence

from webapp.database.bulk import BulkTransaction
from webapp.ingest.assembly import assemble
from webapp.ingest.call_writer import CallWriter, NewCall
from webapp.ingest.normalize import NormalRecord
from webapp.ingest.numbers import NumberPlan
from webapp.ingest.stored_records import records_of_calls
from webapp.ingest.writer import group_by_links


def regroup(
    transaction: BulkTransaction,
    calls: CallWriter,
    plan: NumberPlan,
    call_keys: Sequence[int],
    removed_links: Mapping[int, set[int]],
) -> int:
    """Rebuild some calls; a call whose records no longer belong together becomes several, one without records goes.

    `removed_links` holds, by call, the link keys of records that were just deleted. Returns by how much the number
    of calls grew. A call keeps its key as long as it has the record of that key; else it takes its oldest record's.
    """
    organization_id = transaction.organization_id
    old = calls.stored_calls(transaction, call_keys)
    records = records_of_calls(transaction, call_keys)
    new: list[NewCall] = []
    for call in old:
        groups = group_by_links(sorted(records.get(call.call_key, ()), key=lambda record: record.record_key))
        links = removed_links.get(call.call_key, set()) | {
            key for record in records.get(call.call_key, ()) for key in record.link_keys
        }
        transaction.execute_many(
            "DELETE FROM call_link WHERE organization_id = ? AND link_key = ? AND call_key = ?",
            [(organization_id, key, call.call_key) for key in sorted(links)],
        )
        for group in groups:
            keys = [record.record_key for record in group]
            call_key = call.call_key if call.call_key in keys else keys[0]
            _rekey(transaction, call.call_key, call_key, group)
            new.append(NewCall(call_key, call.pbx_id, assemble(group, plan)))
    calls.replace(transaction, old, new)
    return len(new) - len(old)


def _rekey(transaction: BulkTransaction, old_key: int, call_key: int, group: Sequence[NormalRecord]) -> None:
    organization_id = transaction.organization_id
    if call_key != old_key:
        transaction.execute_many(
            "UPDATE call_record SET call_key = ? WHERE organization_id = ? AND record_key = ?",
            [(call_key, organization_id, record.record_key) for record in group],
        )
    transaction.insert(
        "call_link",
        ("organization_id", "link_key", "call_key"),
        [(organization_id, key, call_key) for key in sorted({key for record in group for key in record.link_keys})],
        "ON CONFLICT DO NOTHING",
    )
