"""Adding and changing a destination: in its row, two people at once, prefixes that name a lot, wrong input."""

import re
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.destinations.test_people_pages import EXTENSION, LIST, NUMBER, add, page_of, stored
from tests.make import Make
from webapp.database.ids import spell_id
from webapp.destinations import forms, listing, patterns, reach
from webapp.destinations.matching import Pattern
from webapp.destinations.models import Destination, DestinationKind, DestinationMember, PartyHolder, PatternKind
from webapp.tenancy.models import Numbers

TYPED = {"name": "Ann", "kind": "person", "patterns": "204", "colour": "3", "note": "at the quay"}


@pytest.fixture
def max_(client: PageCheckingClient, cast: Cast) -> PageCheckingClient:
    client.sign_in(cast.max)
    return client


def sure_of(text: str) -> str:
    found = re.search(r'name="sure" type="hidden" value="([^"]+)"', text)
    assert found
    return found[1]


def count(make: Make, mapped: Any) -> int:
    with make.session() as session:
        return session.scalar(select(func.count()).select_from(mapped)) or 0


def test_a_destination_is_added_with_all_that_was_typed(max_: PageCheckingClient, make: Make) -> None:
    party = make.party("204")
    answer = max_.send(f"{LIST}/new", TYPED)
    assert answer.status_code == 303
    with make.session() as session:
        [ann] = session.scalars(select(Destination))
        assert (ann.name, ann.kind, ann.colour, ann.note) == ("Ann", DestinationKind.PERSON, 3, "at the quay")
        [holder] = session.scalars(select(PartyHolder))
        assert (holder.party_id, holder.destination_id) == (party.id, ann.id)
    assert "Ann is added" in max_.get(answer.location).text


def test_a_name_is_one_line_that_turns_nothing_round(max_: PageCheckingClient, make: Make) -> None:
    max_.send(f"{LIST}/new", {**TYPED, "name": "\u202eAnn\x07 \n Lee \N{WOMAN}\u200d\N{ROCKET}"})
    with make.session() as session:
        assert session.scalar(select(Destination.name)) == "Ann Lee \N{WOMAN}\u200d\N{ROCKET}"


def test_a_team_has_its_people(max_: PageCheckingClient, make: Make) -> None:
    ann = add(make, "Ann")
    max_.send(f"{LIST}/new", {**TYPED, "name": "Sales", "kind": "team", "members": spell_id(ann.id)})
    assert count(make, DestinationMember) == 1


def test_a_team_keeps_whoever_the_form_could_not_offer(
    max_: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archived person, and one behind the names that are offered: a new name of the team takes neither away."""
    monkeypatch.setattr(listing, "OFFERED_AT_MOST", 1)
    ann, zoe, gone, last = (add(make, name) for name in ("Ann", "Zoe", "Gone", "Last"))
    team = add(make, "Sales", kind=DestinationKind.TEAM, members=frozenset({zoe.id, gone.id}))
    max_.send(page_of(gone, "/archive"))
    page = max_.get(page_of(team, "/edit")).text
    offered = re.findall(r'name="members" type="checkbox" value="(\w+)"', page)
    assert offered == [spell_id(each.id) for each in (ann, gone, zoe)], "Last is behind the first, and of no team"
    typed = {"name": "Selling", "kind": "team", "colour": "0", "note": "", "version": "1"}
    ticked = re.findall(r'checked id="\S+" name="members" type="checkbox" value="(\w+)"', page)
    assert max_.send(page_of(team, "/edit"), {**typed, "members": ticked}).status_code == 303
    with make.session() as session:
        assert set(session.scalars(select(DestinationMember.person_id))) == {zoe.id, gone.id}
    stale = max_.send(page_of(team, "/edit"), {**typed, "version": "2", "members": spell_id(last.id)})
    assert "Somebody whom you chose is not offered any more." in stale.text


def test_who_stands_behind_the_first_people_is_brought_into_a_team_by_name(
    max_: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Further people" not in max_.get(f"{LIST}/new").text, "all are offered as boxes"
    for module in (listing, forms):
        monkeypatch.setattr(module, "OFFERED_AT_MOST", 1)
    ann, zoe, last = (add(make, name) for name in ("Ann", "Zoe", "Last Orders"))
    for name in ("Twin", "twin"):
        add(make, name)
    team = add(make, "Zoe", kind=DestinationKind.TEAM, members=frozenset({ann.id}))
    typed = {"name": "Sales", "kind": "team", "colour": "0", "note": "", "version": "1", "members": spell_id(ann.id)}
    wrong = {
        "Zoe\nNobody <b>": "There is no person called Nobody &lt;b&gt; in use. Check the spelling.",
        "twin": "More than one person is called twin. Rename one of them first.",
        "\n".join(map(str, range(101))): "Write at most 100 names at once.",
    }
    for names, sentence in wrong.items():
        answer = max_.send(page_of(team, "/edit"), {**typed, "others": names})
        assert answer.status_code == 422 and sentence in answer.text
        assert names.split("\n")[0] in answer.text, "what was typed is kept"
    assert max_.send(page_of(team, "/edit"), {**typed, "others": " zoe \n\nLast  orders\nAnn\n"}).status_code == 303
    with make.session() as session:
        assert set(session.scalars(select(DestinationMember.person_id))) == {ann.id, zoe.id, last.id}
    menu = {**typed, "kind": "menu", "version": "2", "members": [], "others": "Nobody"}
    assert max_.send(page_of(team, "/edit"), menu).status_code == 303, "the field is not seen then"


def test_a_team_of_many_is_listed_whole(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "OFFERED_AT_MOST", 1)
    people = [add(make, name) for name in ("Ann", "Ben")]
    team = add(make, "Sales", kind=DestinationKind.TEAM, members=frozenset(each.id for each in people))
    with make.session() as session:
        assert [each.name for each in listing.list_members(session, team.id)] == ["Ann", "Ben"]


def test_a_row_turns_into_the_form_and_back(max_: PageCheckingClient, make: Make) -> None:
    ann = add(make, "Ann", EXTENSION)
    row = f'<tr id="destinations-row-{spell_id(ann.id)}"'
    form = max_.get_part(page_of(ann, "/edit"))
    assert form.text.strip().startswith(f'{row} class="editing">')
    assert f'data-hx-post="{page_of(ann, "/edit")}"' in form.text
    assert max_.get_part(page_of(ann, "/row")).text.strip().startswith(row)
    answer = max_.send(page_of(ann, "/edit"), {**TYPED, "name": "Ann Lee", "version": "1"}, part=True)
    assert answer.status_code == 200
    assert answer.text.strip().startswith(row)
    assert "Ann Lee" in answer.text
    assert ">Stored</span>" in answer.text
    assert stored(make, ann).version == 2


def test_without_script_the_form_is_a_page(max_: PageCheckingClient, make: Make) -> None:
    ann = add(make, "Ann", EXTENSION)
    assert "<h1>Change Ann</h1>" in max_.get(page_of(ann, "/edit")).text
    answer = max_.send(page_of(ann, "/edit"), {**TYPED, "version": "1"})
    assert (answer.status_code, answer.location) == (303, page_of(ann))


@pytest.mark.parametrize("part", [False, True])
def test_the_second_of_two_sees_what_changed_and_keeps_their_text(
    max_: PageCheckingClient, make: Make, cast: Cast, part: bool
) -> None:
    ann = add(make, "Ann", EXTENSION, note="old words")
    olive = max_.application.test_client()
    assert isinstance(olive, PageCheckingClient)
    olive.sign_in(cast.olive)
    olive.send(page_of(ann, "/edit"), {**TYPED, "name": "Anna", "note": "Olive's words", "version": "1"})

    mine = {**TYPED, "name": "Ann", "note": "Max's words", "patterns": "204\n+441632960123", "version": "1"}
    answer = max_.send(page_of(ann, "/edit"), mine, part=part)
    assert answer.status_code == 422
    assert "olive@example.com changed this while you did." in answer.text
    theirs, yours = (
        f'<td><span class="only-stacked">{words}: </span>([^<]*)</td>' for words in ("Stored now", "Yours")
    )
    cells = re.findall(f'<th scope="row">([^<]+)</th>{theirs}{yours}', answer.text)
    assert cells == [
        ("Name", "Anna", "Ann"),
        ("Numbers and extensions", "204", "204\n01632 960123"),
        ("Note", "Olive&#39;s words", "Max&#39;s words"),
    ]
    assert ">\r\nMax&#39;s words</textarea>" in answer.text
    assert stored(make, ann).name == "Anna"

    [version] = re.findall(r'name="version" type="hidden" value="(\d+)"', answer.text)
    answer = max_.send(page_of(ann, "/edit"), {**mine, "version": version}, part=part)
    assert answer.status_code == (200 if part else 303)
    assert stored(make, ann).note == "Max's words"


def test_an_equal_pattern_is_refused_and_what_was_typed_is_kept(max_: PageCheckingClient, make: Make) -> None:
    add(make, "Ben", EXTENSION)
    answer = max_.send(f"{LIST}/new", TYPED, part=True)
    assert answer.status_code == 422
    assert "Extension 204 is Ben already. Take it off there if that was wrong, or hand it over" in answer.text
    assert ">\r\n204</textarea>" in answer.text
    assert "at the quay" in answer.text
    assert count(make, Destination) == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": ""}, "Give it a name."),
        ({"name": " \t "}, "Give it a name."),
        ({"name": "\u200b\u200d"}, "Give it a name of at most 80 characters."),
        ({"name": "x" * 81}, "It has at most 80 characters."),
        ({"kind": "boat"}, "Not a valid choice"),
        ({"colour": "9"}, "Not a valid choice"),
        ({"note": "x" * 2001}, "Use at most 2,000 characters."),
        ({"patterns": "what? is: this"}, "is no extension, number or prefix"),
        ({"patterns": "204 at Nowhere"}, "There is no phone system named Nowhere"),
        ({"kind": "zone", "patterns": ""}, "A zone is recognised by the beginning of its numbers"),
        ({"members": "zzzz"}, "Somebody whom you chose is not offered any more."),
    ],
)
def test_wrong_input_is_told_beside_its_field(
    max_: PageCheckingClient, make: Make, changes: dict[str, str], told: str
) -> None:
    answer = max_.send(f"{LIST}/new", {**TYPED, **changes}, part=True)
    assert answer.status_code == 422
    assert told in answer.text
    assert count(make, Destination) == 0


def test_a_prefix_that_names_a_lot_is_asked_about(
    max_: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "MANY", 3)
    for turn in range(5):
        make.party(f"+44163296012{turn}")
    make.party("+33199001234")
    add(make, "Tyne Valley", NUMBER, kind=DestinationKind.CUSTOMER)
    typed = {**TYPED, "name": "Britain", "kind": "zone", "patterns": "+44*"}
    answer = max_.send(f"{LIST}/new", typed)
    assert answer.status_code == 422
    assert (
        "+44* names 5 of the 6 outside numbers you have seen, among them 01632 960120, 01632 960121, 01632 960122. "
        "1 of them has a name of their own and keep it."
    ) in answer.text
    assert "Store anyway" in answer.text
    assert count(make, Destination) == 1
    another = max_.send(f"{LIST}/new", {**typed, "patterns": "+4*", "sure": sure_of(answer.text)})
    assert another.status_code == 422, "another prefix is asked about again"
    assert max_.send(f"{LIST}/new", {**typed, "sure": sure_of(answer.text)}).status_code == 303
    assert count(make, PartyHolder) == 5


def test_a_star_alone_is_no_prefix_of_everything(max_: PageCheckingClient, make: Make) -> None:
    answer = max_.send(f"{LIST}/new", {**TYPED, "patterns": "*\n204"})
    assert answer.status_code == 422
    assert "no line names them all" in answer.text
    assert max_.send(f"{LIST}/new", {**TYPED, "patterns": "*", "sure": sure_of(answer.text)}).status_code == 303


def test_who_has_more_patterns_than_can_be_typed_gets_a_new_name_all_the_same(
    max_: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = add(make, "Ann", *(Pattern(PatternKind.EXTENSION, str(each)) for each in (201, 202, 203)))
    monkeypatch.setattr(patterns, "_PATTERNS_AT_MOST", 1)
    typed = {**TYPED, "name": "Ann Lee", "patterns": "201\n202\n203\n204", "version": "1"}
    assert max_.send(page_of(ann, "/edit"), typed).status_code == 303
    answer = max_.send(page_of(ann, "/edit"), {**typed, "patterns": f"{typed['patterns']}\n205\n206", "version": "2"})
    assert "Write at most 1 more numbers" in answer.text
    with make.session() as session:
        assert len(listing.list_patterns(session, [ann.id])[ann.id]) == 4


def test_half_of_all_is_asked_about_and_few_are_not(make: Make) -> None:
    for turn in range(9):
        make.party(f"+44163296012{turn}")
    with make.session() as session:
        assert not reach.measure_prefix(session, "44").is_wide
    make.party("+441632960999")
    make.party("+33199001234")
    with make.session() as session:
        assert reach.measure_prefix(session, "44").is_wide
        assert reach.measure_prefix(session, "33") == reach.Reach("33", 1, 11, 0, ("+33199001234",))


def test_longer_prefixes_keep_what_they_name(make: Make) -> None:
    for digits in ("+441632960120", "+441632960121", "+442079460001"):
        make.party(digits)
    add(make, "Town", Pattern(PatternKind.PREFIX, "441632"), kind=DestinationKind.ZONE)
    with make.session() as session:
        assert reach.measure_prefix(session, "44").named == 2


def test_a_masked_manager_changes_the_name_and_keeps_the_patterns(
    max_: PageCheckingClient, make: Make, cast: Cast
) -> None:
    make.membership(cast.max, numbers=Numbers.MASKED)
    ann = add(make, "Ann", NUMBER)
    party = make.party("+441632960123")
    answer = max_.send(page_of(ann, "/edit"), {**TYPED, "name": "Anna", "patterns": "", "version": "1"})
    assert answer.status_code == 303
    assert stored(make, ann).name == "Anna"
    with make.session() as session:
        [holder] = session.scalars(select(PartyHolder).where(PartyHolder.party_id == party.id))
        assert holder.destination_id == ann.id
    assert "01632" not in max_.get(page_of(ann)).text


def test_an_outsider_gets_404_and_get_stores_nothing(client: PageCheckingClient, make: Make, cast: Cast) -> None:
    ann = add(make, "Ann", EXTENSION)
    client.sign_in(cast.quentin)
    assert client.send(page_of(ann, "/edit"), TYPED).status_code == 404
    assert client.send(f"{LIST}/new", TYPED).status_code == 404
    client.sign_in(cast.max)
    assert client.get(f"{LIST}/new?name=Eve").status_code == 200
    assert count(make, Destination) == 1
