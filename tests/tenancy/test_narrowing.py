"""SECURITY 23: a narrowed session shows the calls of some parties, in their days, whatever is asked of it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, union_all
from sqlalchemy.orm import aliased

from tests.cast import Cast
from tests.make import NOON, Make
from webapp.calls.models import Call, CallParty, CallRecord
from webapp.clock import to_ms
from webapp.database.engine import Database
from webapp.destinations.models import Party
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.narrowing import Narrowing, PartyDays, covers, has_spoken_for, tenant_classes
from webapp.tenancy.row_security import TenancyError
from webapp.tenancy.sessions import reading_session

CALLER, OTHER_CALLER = "+442079460123", "+442079460999"


def narrowed(database: Database, cast: Cast, *windows: PartyDays) -> LockedSession:
    session = reading_session(database, cast.harbour.id)
    session.bind_narrowing(Narrowing(windows))
    return session


def keys(session: LockedSession) -> set[int]:
    return set(session.scalars(select(Call.call_key)))


@pytest.fixture
def house(make: Make) -> dict[str, Call]:
    """One call of 201, one of 202, one that both took part in."""
    return {
        "201": make.call(callee="201", caller=CALLER),
        "202": make.call(callee="202", caller=OTHER_CALLER, started_at=NOON + timedelta(hours=1)),
        "both": make.call(caller="201", callee="202", started_at=NOON + timedelta(hours=2)),
    }


def test_every_tenant_table_says_what_a_narrowed_person_sees_of_it() -> None:
    assert len(tenant_classes()) > 15
    assert [each.__name__ for each in tenant_classes() if not has_spoken_for(each)] == []


OTHER, OTHER_PARTY = aliased(Call), aliased(CallParty)
READS: dict[str, Any] = {
    "entity": lambda db: list(db.scalars(select(Call.call_key))),
    "alias": lambda db: list(db.scalars(select(OTHER.call_key))),
    "subquery": lambda db: list(db.scalars(select(Call.call_key).where(Call.call_key.in_(select(Call.call_key))))),
    "from a subquery": lambda db: list(db.scalars(select(select(Call.call_key).subquery().c.call_key))),
    "union": lambda db: list(db.scalars(union_all(select(Call.call_key), select(Call.call_key).where(Call.flags < 0)))),
    "query": lambda db: [row.call_key for row in db.query(Call)],
    "join": lambda db: list(
        db.scalars(select(OTHER.call_key).select_from(Call).join(OTHER, OTHER.call_key == Call.call_key))
    ),
    "through their parties": lambda db: list(db.scalars(select(CallParty.call_key).distinct())),
}


@pytest.mark.parametrize("read", READS.values(), ids=list(READS))
def test_security_23_every_way_to_read_shows_their_calls_only(
    read: Any, database: Database, cast: Cast, make: Make, house: dict[str, Call]
) -> None:
    with narrowed(database, cast, PartyDays(make.party("201").id)) as session:
        assert sorted(read(session)) == sorted(house[name].call_key for name in ("201", "both"))


def test_a_narrowing_without_parties_opens_nothing(database: Database, cast: Cast, house: dict[str, Call]) -> None:
    with narrowed(database, cast) as session:
        assert keys(session) == set()
        assert session.scalars(select(Party)).all() == []


def test_a_party_is_open_in_its_days(database: Database, cast: Cast, make: Make, house: dict[str, Call]) -> None:
    """From the first instant, up to the last one and not with it."""
    party_id, at = make.party("201").id, to_ms(NOON)
    for window, opened in (
        (PartyDays(party_id, at), {"201", "both"}),
        (PartyDays(party_id, at + 1), {"both"}),
        (PartyDays(party_id, 0, at), set()),
        (PartyDays(party_id, 0, at + 1), {"201"}),
    ):
        with narrowed(database, cast, window) as session:
            assert keys(session) == {house[name].call_key for name in opened}, window
            assert set(session.scalars(select(CallParty.call_key))) == keys(session), window
            assert set(session.scalars(select(OTHER_PARTY.call_key))) == keys(session), window


def test_a_call_between_two_of_theirs_is_one_call(
    database: Database, cast: Cast, make: Make, house: dict[str, Call]
) -> None:
    with narrowed(database, cast, PartyDays(make.party("201").id), PartyDays(make.party("202").id)) as session:
        assert session.scalar(select(func.count()).select_from(Call)) == 3


def test_numbers_answer_only_through_their_calls(
    database: Database, cast: Cast, make: Make, house: dict[str, Call]
) -> None:
    """The extension of a colleague does not, even where the colleague took part."""
    with narrowed(database, cast, PartyDays(make.party("201").id)) as session:
        assert set(session.scalars(select(Party.digits))) == {"201", CALLER[1:]}


def test_records_and_their_versions_follow_their_call(
    database: Database, cast: Cast, make: Make, house: dict[str, Call]
) -> None:
    seen, closed = make.record(house["201"]), make.record(house["202"])
    with narrowed(database, cast, PartyDays(make.party("201").id)) as session:
        assert list(session.scalars(select(CallRecord.record_key))) == [seen.record_key]
        assert session.get(CallRecord, (cast.harbour.id, closed.record_key)) is None


def test_sums_and_whole_files_stay_closed(database: Database, cast: Cast, make: Make, house: dict[str, Call]) -> None:
    make.refused_line(make.import_file())
    closed = {"CallTotal", "CallDay", "CallMonth", "PartyTotal", "RejectedLine", "StoredFile", "StoredChunk"}
    found = [mapped for mapped in tenant_classes() if mapped.__name__ in closed]
    assert len(found) == len(closed)
    with narrowed(database, cast, PartyDays(make.party("201").id)) as session:
        for mapped in found:
            assert session.scalars(select(mapped)).all() == [], mapped
    with reading_session(database, cast.harbour.id) as session:
        assert all(session.scalars(select(mapped)).all() for mapped in found if "Stored" not in mapped.__name__)


def test_a_narrowing_is_bound_once(database: Database, cast: Cast) -> None:
    with narrowed(database, cast, PartyDays(1)) as session:
        session.bind_narrowing(Narrowing((PartyDays(1),)))
        with pytest.raises(TenancyError):
            session.bind_narrowing(Narrowing((PartyDays(2),)))
    with reading_session(database) as session, pytest.raises(TenancyError):
        session.bind_narrowing(Narrowing())


def test_nobody_gives_more_than_they_have() -> None:
    everything, mine = None, Narrowing((PartyDays(1), PartyDays(2, 1000, 2000)))
    assert covers(everything, everything)
    assert covers(everything, mine)
    assert not covers(mine, everything)
    assert covers(mine, Narrowing((PartyDays(1, 5, 6), PartyDays(2, 1000, 2000))))
    assert not covers(mine, Narrowing((PartyDays(3),)))
    assert not covers(mine, Narrowing((PartyDays(2, 1000),)))
    assert not covers(mine, Narrowing((PartyDays(2, 999, 2000),)))
