"""Every page and action of phone systems and imports: whose role may, the outsider, a missing id, the wrong method."""

import pytest

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.sources.conftest import HARBOUR, MISSING
from webapp.calls.models import ImportState
from webapp.database.ids import spell_id

SEEN_BY_ALL = ["phone-systems", "imports", "imports/{file}", "imports/{file}/refused", "imports/{file}/refused-lines"]
CHANGED_BY_MANAGERS = [
    "phone-systems/new",
    "phone-systems/{pbx}/name",
    "phone-systems/{pbx}/imports",
    "phone-systems/{pbx}/set-up",
]
MANAGERS_PAGES = [*CHANGED_BY_MANAGERS, "imports/{file}/undo"]
ACTIONS = [
    "phone-systems/{pbx}/close",
    "phone-systems/{pbx}/reopen",
    "phone-systems/{pbx}/set-up/apply",
    "imports/{file}/read-as",
    "imports/{file}/start",
    "imports/{file}/cancel",
    "imports/{file}/throw-away",
]


class Addresses:
    def __init__(self, make: Make) -> None:
        pbx = make.pbx("Head office")
        self.pbx = spell_id(pbx.id)
        self.file = spell_id(make.import_file(pbx, state=ImportState.DONE).id)

    def of(self, path: str) -> str:
        return f"{HARBOUR}/{path.format(pbx=self.pbx, file=self.file)}"


@pytest.fixture
def addresses(make: Make) -> Addresses:
    return Addresses(make)


def test_everybody_sees_what_is_there(client: PageCheckingClient, cast: Cast, addresses: Addresses) -> None:
    for person in (cast.olive, cast.max, cast.vera):
        client.sign_in(person)
        for path in SEEN_BY_ALL:
            assert client.get(addresses.of(path)).status_code == 200, (person.email, path)


def test_managers_and_owners_open_the_pages_that_change(
    client: PageCheckingClient, cast: Cast, addresses: Addresses
) -> None:
    for person in (cast.olive, cast.max):
        client.sign_in(person)
        for path in MANAGERS_PAGES:
            assert client.get(addresses.of(path)).status_code == 200, (person.email, path)


def test_a_viewer_may_look_only(client: PageCheckingClient, cast: Cast, addresses: Addresses) -> None:
    client.sign_in(cast.vera)
    for path in MANAGERS_PAGES:
        assert client.get(addresses.of(path)).status_code == 403, path
    for path in (*MANAGERS_PAGES, *ACTIONS):
        assert client.send(addresses.of(path)).status_code == 403, path
    page = client.get(addresses.of("phone-systems")).text
    assert "Import a file" not in page
    assert "Rename" not in page
    assert "Undo this import" not in client.get(addresses.of("imports/{file}")).text


def test_an_outsider_finds_nothing(client: PageCheckingClient, cast: Cast, addresses: Addresses) -> None:
    client.sign_in(cast.quentin)
    for path in (*SEEN_BY_ALL, *MANAGERS_PAGES):
        assert client.get(addresses.of(path)).status_code == 404, path
    for path in (*MANAGERS_PAGES, *ACTIONS):
        assert client.send(addresses.of(path)).status_code == 404, path


def test_ids_of_another_organization_are_no_ids_here(
    client: PageCheckingClient, cast: Cast, addresses: Addresses
) -> None:
    client.sign_in(cast.quentin)
    for path in (*SEEN_BY_ALL, *MANAGERS_PAGES):
        if "{" in path:
            assert client.get(addresses.of(path).replace("harbour", "quayside")).status_code == 404, path
    for path in ACTIONS:
        assert client.send(addresses.of(path).replace("harbour", "quayside")).status_code == 404, path


def test_a_missing_id_is_not_found(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    client.sign_in(cast.max)
    for path in (*SEEN_BY_ALL, *MANAGERS_PAGES):
        if "{" in path:
            assert client.get(f"{HARBOUR}/{path.format(pbx=MISSING, file=MISSING)}").status_code == 404, path
    for path in ACTIONS:
        assert client.send(f"{HARBOUR}/{path.format(pbx=MISSING, file=MISSING)}").status_code == 404, path


def test_actions_are_not_done_by_looking(client: PageCheckingClient, cast: Cast, addresses: Addresses) -> None:
    client.sign_in(cast.olive)
    for path in ACTIONS:
        assert client.get(addresses.of(path)).status_code == 405, path
    for path in SEEN_BY_ALL:
        assert client.send(addresses.of(path)).status_code == 405, path


def test_signed_out_people_are_asked_to_sign_in(client: PageCheckingClient, addresses: Addresses) -> None:
    for path in (*SEEN_BY_ALL, *MANAGERS_PAGES):
        answer = client.get(addresses.of(path))
        assert answer.status_code == 303, path
        assert answer.location.startswith("/sign-in"), path
