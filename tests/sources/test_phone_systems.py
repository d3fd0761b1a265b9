"""The list of phone systems with their health; adding, renaming, closing and opening one."""

from datetime import UTC, datetime

import time_machine

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.sources.conftest import HARBOUR
from webapp.calls.models import ImportState, Pbx
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.ingest.readers import READERS
from webapp.tenancy.sessions import reading_session

LIST = f"{HARBOUR}/phone-systems"
NEW = f"{HARBOUR}/phone-systems/new"


def read_pbx(database: Database, make: Make, name: str) -> Pbx:
    with reading_session(database, make.organization.id) as session:
        return session.query(Pbx).filter_by(name=name).one()


def test_an_empty_list_leads_to_the_first_step(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.max)
    page = client.get(LIST).text
    assert "No phone system yet" in page
    assert f'href="{NEW}"' in page
    client.sign_in(cast.vera)
    page = client.get(LIST).text
    assert "A manager or owner of Harbour Boats adds" in page
    assert NEW not in page


def test_the_list_tells_for_each_format_where_the_file_is(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.vera)
    page = client.get(LIST).text.replace("&gt;", ">").replace("&lt;", "<").replace("&#39;", "'")
    for reader in READERS.values():
        assert reader.title in page
        assert reader.where in page


def test_the_health_of_each_system_is_its_newest_call_and_import(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    old, new = make.pbx("Warehouse"), make.pbx("Head office")
    make.call(pbx=old, started_at=datetime(2026, 3, 29, 23, 30, tzinfo=UTC))  # 00:30 of the next day in London
    make.call(pbx=old, started_at=datetime(2026, 3, 28, 9, 0, tzinfo=UTC))
    make.call(pbx=new, started_at=datetime(2026, 4, 2, 9, 15, tzinfo=UTC))
    make.import_file(old, file_name="older.csv", state=ImportState.DONE)
    make.import_file(old, file_name="newer.csv", state=ImportState.FAILED)
    make.import_file(old, file_name="never-started.csv", state=ImportState.UPLOADED)
    with time_machine.travel(datetime(2026, 4, 2, 12, tzinfo=UTC)):
        client.sign_in(cast.vera)
        page = client.get(LIST).text
    assert "30 March at 00:30" in page
    assert "today at 10:15" in page
    assert "newer.csv" in page
    assert "stopped half-way" in page
    assert "never-started.csv" not in page


def test_a_system_with_calls_and_no_answers_asks_for_them(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    pbx = make.pbx("Head office", answered_at=None)
    client.sign_in(cast.max)
    assert "Answer three questions" not in client.get(LIST).text
    make.call(pbx=pbx)
    assert "Answer three questions" in client.get(LIST).text


def test_adding_a_system_leads_to_its_first_file(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    client.sign_in(cast.max)
    answer = client.send(NEW, {"name": "  Head   office ", "reader_name": "", "time_zone": "Europe/Berlin"})
    assert answer.status_code == 303
    pbx = read_pbx(database, make, "Head office")
    assert answer.location == f"{HARBOUR}/phone-systems/{spell_id(pbx.id)}/imports"
    assert (pbx.time_zone, pbx.region, pbx.format, pbx.answered_at) == ("Europe/Berlin", "GB", None, None)
    assert "Head office" in client.get(LIST).text


def test_nonsense_is_told_beside_its_field(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.pbx("Head office")
    client.sign_in(cast.max)
    good = {"name": "Warehouse", "reader_name": "", "time_zone": "Europe/London"}
    for wrong, words in (
        ({"name": ""}, "Give the phone system a name"),
        ({"name": "x" * 81}, "too long"),
        ({"name": "Head office"}, "already"),
        ({"time_zone": "Mars/Olympus"}, "Not a valid choice"),
        ({"reader_name": "nonsense"}, "Not a valid choice"),
    ):
        answer = client.send(NEW, good | wrong)
        assert answer.status_code == 422, wrong
        assert words in answer.text, wrong
        assert 'aria-invalid="true"' in answer.text
    assert client.get(LIST).text.count('<h2 id="system-') == 1


def test_the_same_name_may_stand_in_another_organization(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.at(cast.quayside).pbx("Head office")
    client.sign_in(cast.max)
    assert client.send(NEW, {"name": "Head office", "reader_name": "", "time_zone": "UTC"}).status_code == 303


def test_mass_assignment_sets_nothing(client: PageCheckingClient, cast: Cast, make: Make, database: Database) -> None:
    client.sign_in(cast.max)
    data = {"name": "Mine", "reader_name": "", "time_zone": "UTC", "organization_id": cast.quayside.id, "region": "FR"}
    assert client.send(NEW, data).status_code == 303
    assert read_pbx(database, make, "Mine").region == "GB"


def test_renaming(client: PageCheckingClient, cast: Cast, make: Make, database: Database) -> None:
    pbx = make.pbx("Head office")
    make.pbx("Warehouse")
    client.sign_in(cast.max)
    address = f"{HARBOUR}/phone-systems/{spell_id(pbx.id)}/name"
    assert 'value="Head office"' in client.get(address).text
    assert client.send(address, {"name": "Warehouse"}).status_code == 422
    assert client.send(address, {"name": "Head office"}).status_code == 303, "its own name is not taken"
    assert client.send(address, {"name": "Office <one>"}).status_code == 303
    assert read_pbx(database, make, "Office <one>").id == pbx.id
    assert "Office &lt;one&gt;" in client.get(LIST).text


def test_closing_and_opening_again(client: PageCheckingClient, cast: Cast, make: Make, database: Database) -> None:
    pbx = make.pbx("Head office")
    client.sign_in(cast.max)
    base = f"{HARBOUR}/phone-systems/{spell_id(pbx.id)}"
    assert client.send(f"{base}/close").status_code == 303
    closed_at = read_pbx(database, make, "Head office").closed_at
    assert closed_at is not None
    page = client.get(LIST).text
    assert "Closed today" in page
    assert f"{base}/imports" not in page
    client.send(f"{base}/close")
    assert read_pbx(database, make, "Head office").closed_at == closed_at
    assert client.send(f"{base}/reopen").status_code == 303
    assert read_pbx(database, make, "Head office").closed_at is None
    assert f"{base}/imports" in client.get(LIST).text
