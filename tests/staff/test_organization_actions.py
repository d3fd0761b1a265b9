"""What staff do to an organization without looking: each asks why, is recorded twice, and does what it says."""

import contextlib
import io
import random
import threading
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from tests.cast import Cast
from tests.client import PART, PageCheckingClient
from tests.make import Make
from tests.sources.delivering import Delivering, own_call, token_of
from tests.staff.told import told
from webapp.accounts.models import UserAccount, WebSession
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.errors import NoSpace, Refused
from webapp.invitations.actions import Inviter, invite, resend, whole_offer
from webapp.jobs.stored_files import store_stream
from webapp.organizations import actions as organizations
from webapp.organizations.models import Invitation
from webapp.outbox.models import OutboxMessage
from webapp.staff import organization_actions as actions
from webapp.staff.organization_actions import Act
from webapp.tenancy.models import Organization, OrganizationState, Role
from webapp.tenancy.sessions import reading_session, writing_session

WHY = "Ticket 4711: asked on the phone"
NEW = "/staff/organizations/new"
FIELDS = {
    "name": "Marina & Sons",
    "slug": "marina",
    "time_zone": "Europe/London",
    "region": "GB",
    "email": "Ann@Marina.example.com",
    "reason": WHY,
}
ACTIONS = ("suspend", "resume", "limits", "resend-invitation", "sign-out")


@pytest.fixture(autouse=True)
def names(database: Database, cast: Cast) -> None:
    with writing_session(database) as session:
        for name, person in (("Stella", cast.stella), ("Steven", cast.steven)):
            session.execute(update(UserAccount).where(UserAccount.id == person.id).values(name=name))
        session.commit()


def page_of(cast: Cast, action: str = "") -> str:
    return f"/staff/organizations/{spell_id(cast.harbour.id)}{f'/{action}' if action else ''}"


def harbour(database: Database, cast: Cast) -> Organization:
    with reading_session(database) as session:
        return session.get_one(Organization, cast.harbour.id)


def act(staff_client: PageCheckingClient, cast: Cast, action: str, **fields: str) -> None:
    """Do it; it leads back to the organization's page."""
    staff_client.get(page_of(cast, action))
    answer = staff_client.send(page_of(cast, action), {"reason": WHY, **fields})
    assert (answer.status_code, answer.location) == (303, page_of(cast)), answer.text


# ------------------------------------------------------------------------------------------------- who, and why at all


def test_each_asks_why_and_does_nothing_without(
    staff_client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    before = told(database, cast.harbour.id)
    for action in ACTIONS:
        page = staff_client.get(page_of(cast, action))
        assert page.status_code == 200 and ">Why</label>" in page.text, action
        for reason in ("", "  x ", "x" * 301, "\u200b" * 3):
            answer = staff_client.send(
                page_of(cast, action), {"reason": reason, "email": "olive@example.com", "whom": "one"}
            )
            assert answer.status_code == 422, action
            assert "Say why, in 3 to 300 characters" in answer.text, action
    assert told(database) == []
    assert told(database, cast.harbour.id) == before
    assert harbour(database, cast).state == OrganizationState.OPEN


def test_what_is_typed_is_kept(staff_client: PageCheckingClient, cast: Cast) -> None:
    staff_client.get(NEW)
    answer = staff_client.send(NEW, {**FIELDS, "reason": "", "region": "XX"})
    assert answer.status_code == 422
    for words in ("Marina &amp; Sons", 'value="marina"', 'value="Ann@Marina.example.com"', 'value="Europe/London"'):
        assert words in answer.text
    part = staff_client.send(page_of(cast, "suspend"), {"reason": "x"}, part=True)
    assert part.status_code == 422 and "<html" not in part.text and 'value="x"' in part.text


def test_to_everybody_else_there_is_no_such_page(app: Flask, client: PageCheckingClient, cast: Cast) -> None:
    paths = [NEW, *(page_of(cast, action) for action in ACTIONS)]
    for path in paths:
        assert client.get(path).location.startswith("/staff/sign-in")
    for person in (cast.olive, cast.quentin, cast.nora):
        browser = app.test_client()
        assert isinstance(browser, PageCheckingClient)
        browser.sign_in(person)
        for path in paths:
            assert browser.get(path).status_code == 404, path
            assert browser.send(path, {"reason": WHY}).status_code == 404, path


def test_an_organization_that_is_not_there(staff_client: PageCheckingClient, cast: Cast) -> None:
    for action in ACTIONS:
        path = f"/staff/organizations/{spell_id(new_id())}/{action}"
        assert staff_client.get(path).status_code == 404
        assert staff_client.send(path, {"reason": WHY}).status_code == 404


# ------------------------------------------------------------------------------------------------------------- set up


def test_an_organization_is_set_up_and_its_owner_invited(
    staff_client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    staff_client.get(NEW)
    answer = staff_client.send(NEW, FIELDS)
    assert answer.status_code == 303, answer.text
    with reading_session(database) as session:
        made = session.scalars(select(Organization).where(Organization.slug == "marina")).one()
        mail = session.scalars(select(OutboxMessage).where(OutboxMessage.to_address == "ann@marina.example.com")).one()
    assert (made.name, made.region, mail.template) == ("Marina & Sons", "GB", "invitation")
    assert answer.location == f"/staff/organizations/{spell_id(made.id)}"
    with reading_session(database, made.id) as session:
        invitation = session.scalars(select(Invitation)).one()
    assert (invitation.role, invitation.invited_by) == (Role.OWNER, None)
    assert told(database, made.id, "support") == [
        ("support.set_up", cast.stella.id, {"staff": "Stella", "email": "ann@marina.example.com", "reason": WHY})
    ]
    assert told(database) == [
        ("service.set_up", cast.stella.id, {"staff": "Stella", "organization": "marina", "reason": WHY})
    ]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("slug", "harbour", "There is an organization"),
        ("slug", "Marina Bay", "cannot stand in an address"),
        ("slug", "x" * 41, "at most 40 characters"),
        ("email", "nobody", "is no e-mail address"),
        ("name", "", "Give the organization a name"),
        ("time_zone", "Mars/Olympus", "Not a valid choice"),
        ("region", "", "Choose its country"),
    ],
)
def test_what_cannot_be_set_up_leaves_nothing(
    staff_client: PageCheckingClient, cast: Cast, database: Database, field: str, value: str, words: str
) -> None:
    staff_client.get(NEW)
    answer = staff_client.send(NEW, {**FIELDS, field: value})
    assert answer.status_code == 422
    assert words in answer.text
    with reading_session(database) as session:
        assert session.scalar(select(func.count(Organization.id))) == 2
        assert session.scalar(select(func.count(OutboxMessage.id))) == 0
    assert told(database) == []


def test_of_two_who_set_up_the_same_address_at_once_the_second_is_told_beside_it(
    staff_client: PageCheckingClient,
    steven_client: PageCheckingClient,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both have looked before either stores: on SQLite, where one writes at a time, the second looks again later."""
    both_looked, answers = threading.Barrier(2), []

    def wait_for_the_other(name: str) -> str:
        with contextlib.suppress(threading.BrokenBarrierError):
            both_looked.wait(1)
        return name

    def send(client: PageCheckingClient) -> None:
        answers.append(client.send(NEW, FIELDS))

    for client in (staff_client, steven_client):
        client.get(NEW)
    monkeypatch.setattr(organizations, "checked_name", wait_for_the_other)
    threads = [threading.Thread(target=send, args=(client,)) for client in (staff_client, steven_client)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done, refused = sorted(answers, key=lambda answer: answer.status_code)
    assert (done.status_code, refused.status_code) == (303, 422)
    assert "There is an organization &#39;marina&#39; already." in refused.text
    assert 'value="marina"' in refused.text and f'value="{WHY}"' in refused.text
    assert len(told(database)) == 1


# ---------------------------------------------------------------------------------------------------- suspend, resume


def test_people_of_a_suspended_organization_read_why_everywhere(
    app: Flask, staff_client: PageCheckingClient, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    client.get("/o/harbour/settings")
    act(staff_client, cast, "suspend", reason="The bill of May is <open>")
    for path in ("/o/harbour/", "/o/harbour/calls", "/o/harbour/settings", "/o/harbour/calls/export"):
        page = client.get(path)
        assert page.status_code == 403, path
        assert "Harbour Boats is suspended" in page.text
        assert "The bill of May is &lt;open&gt;" in page.text
        assert "Ask the person who runs Callbook" in page.text
    part = client.get("/o/harbour/calls", headers=PART)
    assert part.status_code == 403 and "<html" not in part.text and "The bill of May" in part.text
    changed = client.send("/o/harbour/settings", {"name": "Ours"})
    assert changed.status_code == 403 and "is suspended" in changed.text
    first = client.get("/").text
    assert "Harbour Boats is suspended." in first and 'href="/o/harbour/support"' in first
    assert told(database, cast.harbour.id, "support") == [
        ("support.suspended", cast.stella.id, {"staff": "Stella", "reason": "The bill of May is <open>"})
    ]
    outsider = app.test_client()
    assert isinstance(outsider, PageCheckingClient)
    outsider.sign_in(cast.quentin)
    assert outsider.get("/o/harbour/calls").status_code == 404
    act(staff_client, cast, "resume")
    assert client.get("/o/harbour/calls").status_code == 200
    stored = harbour(database, cast)
    assert (stored.state, stored.suspended_for) == (OrganizationState.OPEN, None)
    assert [kind for kind, _actor, _words in told(database)] == ["service.suspended", "service.resumed"]


def test_its_owners_alone_are_led_to_support(
    app: Flask, staff_client: PageCheckingClient, client: PageCheckingClient, cast: Cast
) -> None:
    link = 'href="/o/harbour/support"'
    client.sign_in(cast.olive)
    client.get("/o/harbour/settings")
    manager = app.test_client()
    assert isinstance(manager, PageCheckingClient)
    manager.sign_in(cast.max)
    act(staff_client, cast, "suspend")
    assert link in client.get("/o/harbour/calls").text
    assert link in client.get("/o/harbour/calls", headers=PART).text
    assert link in client.send("/o/harbour/settings", {"name": "Ours"}).text
    support = client.get("/o/harbour/support")
    assert support.status_code == 200 and "Let support look" not in support.text, "that would lead nowhere"
    for path in ("/o/harbour/calls", "/"):
        page = manager.get(path).text
        assert "is suspended" in page and link not in page, path
    assert link not in manager.get("/o/harbour/calls", headers=PART).text


def test_whose_membership_is_over_reads_no_reason(
    staff_client: PageCheckingClient, client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    make.membership(cast.vera, ends_at=cast.harbour.created_at)
    client.sign_in(cast.vera)
    act(staff_client, cast, "suspend")
    assert client.get("/o/harbour/calls").status_code == 404
    assert WHY not in client.get("/").text


def test_phone_systems_deliver_and_what_they_deliver_is_stored_meanwhile(
    app: Flask, staff_client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    pbx = make.pbx()
    phone_system = Delivering(app, database, pbx, token_of(database, pbx))
    act(staff_client, cast, "suspend")
    assert phone_system.send_json(own_call(1)).status_code == 200
    phone_system.store()
    assert len(phone_system.calls()) == 1


def test_it_is_suspended_once(staff_client: PageCheckingClient, cast: Cast, database: Database) -> None:
    act(staff_client, cast, "suspend")
    again = staff_client.send(page_of(cast, "suspend"), {"reason": "Another reason"})
    assert again.status_code == 422 and "meanwhile" in again.text
    assert harbour(database, cast).suspended_for == WHY
    act(staff_client, cast, "resume")
    again = staff_client.send(page_of(cast, "resume"), {"reason": WHY})
    assert again.status_code == 422 and "not suspended any more" in again.text


def test_of_two_at_once_the_second_finds_it_done(database: Database, cast: Cast) -> None:
    done: list[str] = []
    barrier = threading.Barrier(2)

    def suspend(person: UserAccount) -> None:
        barrier.wait()
        with writing_session(database) as session:
            organization = actions.get_held(session, cast.harbour.id)
            try:
                actions.suspend(session, Act(person, WHY), organization)
            except Refused:
                done.append("refused")
                return
            session.commit()
            done.append("suspended")

    threads = [threading.Thread(target=suspend, args=(person,)) for person in (cast.stella, cast.steven)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["refused", "suspended"]
    assert len(told(database)) == len(told(database, cast.harbour.id, "support")) == 1


# ------------------------------------------------------------------------------------------------------------- limits


def test_limits_are_changed_and_told(
    staff_client: PageCheckingClient, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    act(staff_client, cast, "limits", files="40", people="12")
    stored = harbour(database, cast)
    assert (stored.file_limit, stored.people_limit) == (40_000_000_000, 12)
    assert 'value="40"' in staff_client.get(page_of(cast, "limits")).text
    client.sign_in(cast.olive)
    settings = client.get("/o/harbour/settings").text
    assert "of 40 GB" in settings and "4 of 12" in settings
    act(staff_client, cast, "limits", files="", people="12")
    words = [words for _kind, _actor, words in told(database, cast.harbour.id, "support.limit_changed")]
    assert [(each["limit"], each["before"], each["after"]) for each in words] == [
        ("the room for files", "20 GB", "40 GB"),
        ("the number of people", "no limit", "12"),
        ("the room for files", "40 GB", "20 GB"),
    ]
    assert len(told(database, beginning="service.limit_changed")) == 3
    act(staff_client, cast, "limits", files="", people="12")
    assert len(told(database, beginning="service.limit_changed")) == 3
    for wrong in ("0", "-1", "many", "1000001"):
        answer = staff_client.send(page_of(cast, "limits"), {"files": wrong, "people": "", "reason": WHY})
        assert answer.status_code == 422, wrong


def test_the_room_for_files_ends_an_upload(database: Database, cast: Cast) -> None:
    def store(size: int) -> int:
        return store_stream(database, cast.harbour.id, io.BytesIO(random.Random(size).randbytes(size)))

    with writing_session(database) as session:
        session.execute(update(Organization).where(Organization.id == cast.harbour.id).values(file_limit=20_000))
        session.commit()
    assert store(15_000)
    with pytest.raises(NoSpace, match=r"used up its space for files \(20 kB\)"):
        store(15_001)
    assert store_stream(database, cast.quayside.id, io.BytesIO(random.Random(1).randbytes(30_000)))


def test_nobody_more_than_the_limit_is_invited(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    expired = make.invitation("late@example.com", expires_at=cast.harbour.created_at)
    make.invitation("soon@example.com")
    with writing_session(database) as session:
        session.execute(update(Organization).where(Organization.id == cast.harbour.id).values(people_limit=6))
        session.commit()
    with make.session() as session:  # four members, one invited: there is room for one
        inviter = Inviter(session.get_one(Organization, cast.harbour.id), None, "x" * 32)
        invite(session, inviter, "one@example.com", whole_offer(Role.VIEWER))
        with pytest.raises(Refused, match="may have 6 people"):
            invite(session, inviter, "two@example.com", whole_offer(Role.VIEWER))
        with pytest.raises(Refused, match="may have 6 people"):
            resend(session, inviter, session.get_one(Invitation, (cast.harbour.id, expired.id)))
        session.commit()
    client.sign_in(cast.olive)
    client.get("/o/harbour/people/invite")
    offer = {"role": "viewer", "numbers": "full", "extensions": "", "ends_on": "", "words": ""}
    answer = client.send("/o/harbour/people/invite", {"emails": "two@example.com", **offer})
    assert answer.status_code == 422 and "may have 6 people, invited ones included" in answer.text


# --------------------------------------------------------------------------------------- invitations, and signing out


def test_an_invitation_is_sent_again_to_the_address_that_staff_was_told(
    staff_client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    invitation = make.invitation("ann@example.com")
    before = make.token_of(invitation)
    act(staff_client, cast, "resend-invitation", email=" Ann@example.com ")
    with make.session() as session:
        again = session.get_one(Invitation, (cast.harbour.id, invitation.id))
    assert again.mail_count == 2 and make.token_of(again) != before
    assert told(database, cast.harbour.id, "support") == [
        ("support.resent", cast.stella.id, {"staff": "Stella", "email": "ann@example.com", "reason": WHY})
    ]
    [(_kind, _actor, words)] = told(database)
    assert "ann@example.com" not in words.values(), "the service's own chain holds no address of a customer's people"


@pytest.mark.parametrize(("action", "more"), [("resend-invitation", {}), ("sign-out", {"whom": "one"})])
def test_whoever_asks_for_nobody_is_recorded_too(
    staff_client: PageCheckingClient, cast: Cast, database: Database, action: str, more: dict[str, str]
) -> None:
    staff_client.get(page_of(cast, action))
    answer = staff_client.send(page_of(cast, action), {"email": "quentin@example.com", "reason": WHY, **more})
    assert answer.status_code == 422 and "That you asked is recorded." in answer.text
    assert told(database, cast.harbour.id, "support") == [
        ("support.missed", cast.stella.id, {"staff": "Stella", "email": "quentin@example.com", "reason": WHY})
    ]
    assert [kind for kind, _actor, _words in told(database)] == ["service.missed"]
    wrong = staff_client.send(page_of(cast, action), {"email": "no address", "reason": WHY, **more})
    assert wrong.status_code == 422 and "is no e-mail address" in wrong.text
    assert len(told(database)) == 1


@pytest.fixture
def browsers(app: Flask, cast: Cast) -> Callable[[], list[int]]:
    """Of Olive, Max and Quentin: what each gets at the first page of their organization."""
    opened = []
    for person, path in ((cast.olive, "/o/harbour/"), (cast.max, "/o/harbour/"), (cast.quentin, "/o/quayside/")):
        browser = app.test_client()
        assert isinstance(browser, PageCheckingClient)
        browser.sign_in(person)
        opened.append((browser, path))
    return lambda: [browser.get(path).status_code for browser, path in opened]


def test_one_person_is_signed_out(
    staff_client: PageCheckingClient, cast: Cast, database: Database, browsers: Callable[[], list[int]]
) -> None:
    assert browsers() == [200, 200, 200]
    act(staff_client, cast, "sign-out", whom="one", email="max@example.com")
    assert browsers() == [200, 303, 200]
    [(kind, _actor, words)] = told(database, cast.harbour.id, "support")
    assert (kind, words["whom"]) == ("support.signed_out", "max@example.com")
    [(_kind, _actor, words)] = told(database)
    assert words["whom"] == "one person"


def test_everybody_is_signed_out_and_no_other_organization(
    staff_client: PageCheckingClient, cast: Cast, database: Database, browsers: Callable[[], list[int]]
) -> None:
    act(staff_client, cast, "sign-out", whom="everybody", email="")
    assert browsers() == [303, 303, 200]
    with reading_session(database) as session:
        left = set(session.scalars(select(WebSession.user_account_id)))
    assert left == {cast.stella.id, cast.quentin.id}
    [(_kind, _actor, words)] = told(database, cast.harbour.id, "support")
    assert words["whom"] == "everybody"


def test_whom_to_sign_out_must_be_clear(
    staff_client: PageCheckingClient, cast: Cast, database: Database, browsers: Callable[[], list[int]]
) -> None:
    staff_client.get(page_of(cast, "sign-out"))
    for fields in ({}, {"whom": "one"}, {"whom": "everybody", "email": "max@example.com"}, {"whom": "all"}):
        answer = staff_client.send(page_of(cast, "sign-out"), {"reason": WHY, **fields})
        assert answer.status_code == 422, fields
    assert browsers() == [200, 200, 200]


# ------------------------------------------------------------------------------------------------------------ the page


def test_the_part_for_the_page_of_an_organization(app: Flask, cast: Cast, database: Database) -> None:
    for state, there, gone in (
        (OrganizationState.OPEN, "/suspend", "/resume"),
        (OrganizationState.SUSPENDED, "/resume", "/suspend"),
    ):
        with app.test_request_context():
            organization = harbour(database, cast)
            organization.state = state
            part = app.jinja_env.get_template("staff/_actions.html").render(organization=organization)
        assert page_of(cast) + there in part and page_of(cast) + gone not in part
        assert all(page_of(cast, action) in part for action in ("limits", "resend-invitation", "sign-out"))
