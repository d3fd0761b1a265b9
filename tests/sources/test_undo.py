"""Undoing an import: what will be lost is said first; only what it alone brought goes."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import select

from tests.cast import Cast
from tests.make import EPOCH, Make
from tests.sources.conftest import HandsIn, asterisk_file
from webapp.calls.models import Call, ImportState
from webapp.database.engine import Database
from webapp.destinations.models import Party
from webapp.jobs.models import StoredFile
from webapp.organizations.offers import Offer
from webapp.sources.jobs import undo_died
from webapp.tenancy.members import load_narrowing
from webapp.tenancy.models import MembershipParty, Numbers, Role
from webapp.tenancy.narrowing import PartyDays
from webapp.tenancy.sessions import reading_session

SignIn = Callable[[object], HandsIn]


class DeadWork(NamedTuple):
    """A job whose last attempt failed, as the worker hands it over."""

    database: Database
    organization_id: int
    payload: dict[str, Any]


def test_the_page_says_what_will_be_lost_and_changes_nothing(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx("Head office")
    address = hands.take_in(pbx, asterisk_file(20) + b"bad,line\n")
    page = hands.client.get(f"{address}/undo").text
    assert "take back 20 records" in page
    assert "<b>1</b> refused line<" in page
    assert "comes back from there" not in page
    assert hands.files()[0].state == ImportState.DONE
    assert len(hands.calls()) == 20


def test_an_undo_takes_calls_lines_and_file_back(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.take_in(pbx, asterisk_file(20) + b"bad,line\n")
    assert hands.client.send(f"{address}/undo").location == address
    assert "Taking the import back" in hands.client.get(address).text
    hands.work()
    assert hands.files()[0].state == ImportState.UNDONE
    assert hands.calls() == []
    with reading_session(hands.database, hands.organization_id) as session:
        assert session.query(StoredFile.id).all() == []
    page = hands.client.get(address).text
    assert "This import was undone." in page
    assert "Undo this import" not in page
    assert "They went with the undo" in hands.client.get(f"{address}/refused").text


def test_what_another_file_also_holds_comes_back_from_it(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    first = hands.take_in(pbx, asterisk_file(20))
    hands.take_in(pbx, asterisk_file(20, first=10), "overlaps.csv")
    assert len(hands.calls()) == 30
    page = hands.client.get(f"{first}/undo").text
    assert "One other file of this phone system held rows" in page
    hands.client.send(f"{first}/undo")
    hands.work()
    assert len(hands.calls()) == 20


def test_an_import_is_undone_once_and_only_after_its_end(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.receive(pbx, asterisk_file(5))
    assert hands.client.get(f"{address}/undo").location == address
    answer = hands.client.send(f"{address}/undo")
    assert answer.status_code == 422
    assert "has ended" in answer.text
    hands.client.send(f"{address}/start")
    hands.work()
    assert hands.client.send(f"{address}/undo").status_code == 303
    assert hands.client.send(f"{address}/undo").status_code == 422
    assert hands.work() == 1


def test_an_extension_that_somebody_is_given_stays_theirs(hands_in: SignIn, cast: Cast, make: Make) -> None:
    """The undo leaves it no call, and it is seen by Vera and offered to Ada: imported again, its calls are there."""
    hands, pbx = hands_in(cast.max), make.pbx("Head office")
    address = hands.take_in(pbx, asterisk_file(5))
    party = make.party("201", pbx)
    make.membership(cast.vera, narrowed=True)
    make.store(MembershipParty(user_account_id=cast.vera.id, party_id=party.id, from_at=EPOCH, until_at=None))
    caller = make.party("+442079460003")
    offer = Offer(Role.VIEWER, Numbers.FULL, True, True, (PartyDays(caller.id),), None)
    make.invitation("ada@example.com", offer)
    hands.client.send(f"{address}/undo")
    hands.work()
    assert hands.files()[0].state == ImportState.UNDONE
    with reading_session(hands.database, hands.organization_id) as session:
        assert set(session.scalars(select(Party.id))) == {party.id, caller.id}, "the others are gone"
    hands.take_in(pbx, asterisk_file(5))
    assert make.party("201", pbx).id == party.id
    with reading_session(hands.database, hands.organization_id) as session:
        session.bind_narrowing(load_narrowing(session, cast.vera.id))
        assert len(session.scalars(select(Call)).all()) == 5


def test_after_an_undo_the_file_can_be_imported_again(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.take_in(pbx, asterisk_file(5))
    hands.client.send(f"{address}/undo")
    hands.work()
    hands.take_in(pbx, asterisk_file(5))
    assert hands.files()[1].stored_count == 5
    assert len(hands.calls()) == 5


def test_an_undo_that_died_can_only_be_undone_again(hands_in: SignIn, cast: Cast, make: Make) -> None:
    """Going on would end as "imported" without the records that were taken back."""
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.take_in(pbx, asterisk_file(20))
    hands.client.send(f"{address}/undo")
    file = hands.files()[0]
    undo_died(DeadWork(hands.database, hands.organization_id, {"import_file_id": file.id}))
    page = hands.client.get(address).text
    assert "The undo stopped half-way." in page
    assert "Go on" not in page
    assert hands.client.send(f"{address}/undo").location == address
    hands.work()
    assert hands.files()[0].state == ImportState.UNDONE
    assert hands.calls() == []
