"""The party directory as a bulk writer sees it: from identities to ids, making the parties that are new.

Used by call_writer.py inside its transaction. A new party gets its holders there too, from the patterns as they are
under the lock: a pattern that is stored a moment later finds the party (destinations/holders.py).
"""

from collections.abc import Iterable, Mapping

from webapp.database.bulk import BulkTransaction
from webapp.database.ids import new_id
from webapp.destinations.matching import Matcher, PartyNumber, Turn, keys_met
from webapp.destinations.models import PartyKind
from webapp.ingest.numbers import Identity

_REMEMBERED_AT_MOST = 60_000
_NO_NAMES = frozenset(
    {"anonymous", "unknown", "unavailable", "private", "restricted", "withheld", "asterisk", "wireless caller"}
)
_COLUMNS = ("organization_id", "id", "identity", "kind", "e164", "digits", "pbx_id", "region", "line_type", "name")


def is_a_name(text: str) -> bool:
    """Whether a caller name tells more than the number does: switches fill it with the number, or with a word."""
    return any(letter.isalpha() for letter in text) and text.strip().lower() not in _NO_NAMES


class PartyDirectory:
    """Ids of the parties of one organization, remembered over the batches of one import.

    Another import's undo may remove a party that is remembered here; then a foreign key refuses the batch, and its
    caller calls `forget` and tries again.
    """

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._named: set[str] = set()

    def forget(self) -> None:
        self._ids.clear()
        self._named.clear()

    def resolve(
        self, transaction: BulkTransaction, identities: Iterable[Identity], names: Mapping[str, str], pbx_id: int
    ) -> dict[str, int]:
        """Ids by identity. `names`: what the switch called a party, by identity; kept where it has no name yet."""
        names = {text: name for text, name in names.items() if is_a_name(name)}
        wanted = {identity.identity: identity for identity in identities}
        if len(self._ids) > _REMEMBERED_AT_MOST:
            self.forget()
        self._look_up(transaction, [text for text in wanted if text not in self._ids])
        missing = [identity for text, identity in wanted.items() if text not in self._ids]
        rows = []
        for identity in missing:
            self._ids[identity.identity] = party_id = new_id()
            rows.append(
                self._row(transaction.organization_id, party_id, identity, names.get(identity.identity, ""), pbx_id)
            )
        transaction.insert("party", _COLUMNS, rows)
        if missing:
            self._hold(transaction, missing, pbx_id)
        self._name(transaction, names)
        return {text: self._ids[text] for text in wanted}

    def _hold(self, transaction: BulkTransaction, new: Iterable[Identity], pbx_id: int) -> None:
        """Write whose the new parties are. Asked each time: somebody may just have stored the first pattern."""
        organization_id = transaction.organization_id
        if not transaction.rows("SELECT 1 FROM destination_pattern WHERE organization_id = ? LIMIT 1", organization_id):
            return
        numbers = {self._ids[each.identity]: PartyNumber(each.kind, each.digits, pbx_id) for each in new}
        keys = sorted({key for number in numbers.values() for key in keys_met(number)})
        known: dict[str, list[Turn]] = {}
        for key, from_ms, destination_id in transaction.rows_in(
            "SELECT pattern_key, from_at, destination_id FROM destination_pattern"
            " WHERE organization_id = ? AND pattern_key IN ({keys})",
            keys,
            organization_id,
        ):
            known.setdefault(key, []).append(Turn(from_ms, destination_id))
        matcher = Matcher(known)
        transaction.insert(
            "party_holder",
            ("organization_id", "party_id", "from_at", "destination_id"),
            [(organization_id, id_, *turn) for id_, number in numbers.items() for turn in matcher.list_turns(number)],
        )

    def _look_up(self, transaction: BulkTransaction, texts: list[str]) -> None:
        found = transaction.rows_in(
            "SELECT identity, id, name FROM party WHERE organization_id = ? AND identity IN ({keys})",
            texts,
            transaction.organization_id,
        )
        for text, party_id, name in found:
            self._ids[text] = party_id
            if name:
                self._named.add(text)

    def _row(
        self, organization_id: int, party_id: int, identity: Identity, name: str, pbx_id: int
    ) -> tuple[object, ...]:
        if name:
            self._named.add(identity.identity)
        return (
            organization_id,
            party_id,
            identity.identity,
            int(identity.kind),
            identity.e164,
            identity.digits,
            None if identity.kind == PartyKind.OUTSIDE else pbx_id,
            identity.region,
            int(identity.line_type),
            name,
        )

    def _name(self, transaction: BulkTransaction, names: Mapping[str, str]) -> None:
        unnamed = [
            (name, self._ids[text])
            for text, name in names.items()
            if name and text not in self._named and text in self._ids
        ]
        transaction.execute_many(
            "UPDATE party SET name = ? WHERE organization_id = ? AND id = ? AND name = ''",
            [(name, transaction.organization_id, party_id) for name, party_id in unnamed],
        )
        self._named.update(text for text, name in names.items() if name)
