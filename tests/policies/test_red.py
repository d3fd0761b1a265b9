"""For each promise: kept by a sound service, broken for real, and seen to turn red on the page, with its reason.

A promise without its breaker fails here. What is broken is the running service or its database, never the check.
"""

import dataclasses
import html
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, Response
from sqlalchemy import update

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.policies.sound_service import BY_COMMAND, VALUES, Execute, backup, store_browser
from webapp.accounts.models import UserAccount
from webapp.clock import now
from webapp.database.engine import Database
from webapp.jobs.worker import Worker
from webapp.organizations.models import Invitation, InvitationState
from webapp.policies.checking import check_promises
from webapp.policies.incidents import Incident, tell_of_incident
from webapp.policies.models import Announcement, AnnouncementPerson, Policy
from webapp.policies.promises import BY_KEY, PROMISES
from webapp.policies.publishing import Change, publish
from webapp.policies.values import load_values
from webapp.policies.versions import draft_of
from webapp.recovery.models import RunKind
from webapp.services import Services
from webapp.tenancy import lock
from webapp.tenancy.consent_models import DisclosureState
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import writing_session


@dataclasses.dataclass
class Hand:
    """What a breaker reaches for."""

    app: Flask
    database: Database
    cast: Cast
    make: Make
    past_locks: Execute
    patch: pytest.MonkeyPatch

    @property
    def settings(self) -> Any:
        return self.app.extensions["callbook"].settings

    @property
    def on_sqlite(self) -> bool:
        return self.database.dialect == "sqlite"

    def change(self, statement: Any) -> None:
        with writing_session(self.database, self.cast.harbour.id) as session:
            session.execute(statement)
            session.commit()

    @contextmanager
    def changed_table(self, statement: str, back: str) -> Iterator[None]:
        """Change the tables of PostgreSQL as their owner, and put that back."""
        self.past_locks(statement)
        try:
            yield
        finally:
            self.past_locks(back)


@pytest.fixture
def hand(
    sound: Flask, database: Database, cast: Cast, make: Make, past_locks: Execute, monkeypatch: pytest.MonkeyPatch
) -> Hand:
    return Hand(sound, database, cast, make, past_locks, monkeypatch)


Breaker = Callable[[Hand], Any]
BREAKERS: dict[str, Breaker] = {}


def breaks(key: str) -> Callable[[Breaker], Breaker]:
    def add(breaker: Breaker) -> Breaker:
        BREAKERS[key] = breaker
        return breaker

    return add


@breaks("only-invited")
def somebodys_invitation_was_never_accepted(hand: Hand) -> None:
    hand.change(
        update(Invitation)
        .where(Invitation.email == hand.cast.vera.email)
        .values(state=InvitationState.REVOKED, ended_at=now())
    )


@breaks("tenants-apart")
def a_lock_is_off(hand: Hand) -> Any:
    if not hand.on_sqlite:
        return hand.changed_table(
            "ALTER TABLE call DISABLE ROW LEVEL SECURITY", "ALTER TABLE call ENABLE ROW LEVEL SECURITY"
        )
    narrow = lock._criteria

    def shows_everything_with_nothing_bound(organization_id: int | None, *bound: Any) -> Any:
        return narrow(organization_id, *bound) if organization_id is not None else ()

    hand.patch.setattr(lock, "_criteria", shows_everything_with_nothing_bound)
    return None


@breaks("no-third-party")
def handed_out_and_not_registered(hand: Hand) -> None:
    hand.make.disclosure(
        state=DisclosureState.PRODUCED,
        agreed_by=2,
        agreed_at=now(),
        produced_at=now(),
        manifest_digest=b"m",
    )


@breaks("staff-locked-out")
def the_console_may_read_more(hand: Hand) -> Any:
    if not hand.on_sqlite:
        return hand.changed_table("GRANT UPDATE ON call TO callbook_staff", "REVOKE UPDATE ON call FROM callbook_staff")
    unguarded = Database(hand.settings.database_url)  # its maker forgot for_staff=True
    old: Services = hand.app.extensions["callbook"]
    hand.app.extensions["callbook"] = dataclasses.replace(old, staff_database=unguarded)
    return _closing(unguarded)


@contextmanager
def _closing(database: Database) -> Iterator[None]:
    yield
    database.dispose()


@breaks("openings-in-grants")
def opened_after_the_grant_had_ended(hand: Hand) -> None:
    grant = hand.make.grant(hand.cast.olive, starts_at=now() - timedelta(days=3), ends_at=now() - timedelta(days=2))
    hand.make.opening(grant, hand.cast.stella)


@breaks("counts-only")
def a_word_that_names_a_person(hand: Hand) -> None:
    today = now().toordinal() - 719_163
    hand.past_locks("INSERT INTO feature_use VALUES (?, ?, 'calls by vera', 1)", today, hand.cast.harbour.id)


@breaks("nothing-but-records")
def a_column_for_sound(hand: Hand) -> Any:
    return hand.changed_table(
        "ALTER TABLE call_record ADD COLUMN recording " + ("BLOB" if hand.on_sqlite else "BYTEA"),
        "ALTER TABLE call_record DROP COLUMN recording",
    )


@breaks("one-cookie")
def a_second_cookie(hand: Hand) -> None:
    def count_visits(response: Response) -> Response:
        response.set_cookie("visits", "7", max_age=86_400)
        return response

    hand.app.after_request_funcs.setdefault(None, []).append(count_visits)


@breaks("own-database")
def no_region_is_named(hand: Hand) -> None:
    (hand.settings.data_dir / "policy.toml").write_text(VALUES.replace('regions = ["England"]', ""))


@breaks("changes-told")
def a_change_nobody_was_sent(hand: Hand) -> None:
    (hand.settings.data_dir / "policy.toml").write_text(VALUES.replace("England and Wales", "France"))
    with writing_session(hand.database) as session:
        draft = draft_of(session, hand.settings, load_values(hand.settings), Policy.PRIVACY)
        publish(session, draft, Change("Another law is to hold.", significant=True), BY_COMMAND, 14)
        three_days_ago, done = now() - timedelta(days=3), now() + timedelta(seconds=5)
        session.execute(update(Announcement).values(created_at=three_days_ago, told_all_at=done))
        session.commit()


@breaks("breach-told")
def an_incident_whose_mails_did_not_leave(hand: Hand) -> None:
    with writing_session(hand.database) as session:
        told = tell_of_incident(session, Incident("A disk was stolen", "It held sealed backups.", None), BY_COMMAND)
        session.commit()
    Worker(hand.database, hand.settings).run_due()
    four_days_ago = now() - timedelta(days=4)
    hand.change(update(Announcement).where(Announcement.id == told.id).values(created_at=four_days_ago))
    hand.change(update(AnnouncementPerson).values(told_at=four_days_ago))


@breaks("sessions-as-said")
def a_session_of_three_days_ago(hand: Hand) -> None:
    store_browser(hand.database, hand.cast.vera, created_at=now() - timedelta(days=3))


@breaks("second-factor-for-staff")
def staff_by_a_password_alone(hand: Hand) -> None:
    store_browser(
        hand.database, hand.cast.stella, created_at=now() - timedelta(hours=2), is_staff=True, idle_minutes=15
    )


@breaks("audit-whole")
def a_row_changed_past_the_triggers(hand: Hand) -> None:
    hand.past_locks(
        "UPDATE audit_event SET kind = 'member.left' WHERE organization_id = ? AND position = 1", hand.cast.harbour.id
    )


@breaks("encrypted-on-the-way")
def a_secret_that_is_not_sealed(hand: Hand) -> None:
    hand.change(update(UserAccount).where(UserAccount.id == hand.cast.max.id).values(totp_secret=b"JBSWY3DPEHPK3PXP"))


@breaks("backups-young")
def the_newest_backup_is_old(hand: Hand) -> None:
    hand.past_locks("DELETE FROM recovery_run WHERE kind = 1")
    backup(hand.database, ago=timedelta(days=3))


@breaks("drill-young")
def the_last_drill_found_something_different(hand: Hand) -> None:
    backup(hand.database, kind=RunKind.DRILL, ago=timedelta(hours=1), succeeded=False)


@breaks("retention-runs")
def an_old_call_is_still_there(hand: Hand) -> None:
    hand.make.call(started_at=now() - timedelta(days=100))
    hand.change(update(Organization).where(Organization.id == hand.cast.harbour.id).values(keep_calls_days=30))


@breaks("security-txt")
def it_has_run_out(hand: Hand) -> None:
    answer = Response(
        "Contact: mailto:security@hosting.example\nExpires: 2020-01-01T00:00:00Z\n", mimetype="text/plain"
    )
    _answer_with(hand, "/.well-known/security.txt", answer)


def _answer_with(hand: Hand, path: str, answer: Response) -> None:
    [rule] = [rule for rule in hand.app.url_map.iter_rules() if rule.rule == path]
    old = hand.app.view_functions[rule.endpoint]

    def view() -> Response:
        return answer

    view.__dict__.update(old.__dict__)
    hand.app.view_functions[rule.endpoint] = view


@contextmanager
def broken(hand: Hand, key: str) -> Iterator[None]:
    """What a breaker gives, if anything, puts back what all tests share."""
    undo = BREAKERS[key](hand)
    if undo is None:
        yield
        return
    with undo:
        yield


@pytest.mark.parametrize("key", [promise.key for promise in PROMISES])
def test_a_broken_promise_turns_red(hand: Hand, client: PageCheckingClient, key: str) -> None:
    name = BY_KEY[key].name
    came = check_promises(hand.app)
    assert came[key] == ""
    assert "Not kept" not in row_of(client, name)

    with broken(hand, key):
        came = check_promises(hand.app)

    assert came[key] not in ("", "The check could not run, so we cannot say.")
    row = row_of(client, name)
    assert "Not kept since" in row
    assert came[key] in row
    assert "Not kept" in plain_page(client).partition("The latest changes")[2]
    assert [other for other, why in came.items() if why and other != key] == []


def plain_page(client: PageCheckingClient) -> str:
    return html.unescape(client.get("/privacy/kept").text)


def row_of(client: PageCheckingClient, name: str) -> str:
    """What the page says of a promise as it stands."""
    _before, found, row = plain_page(client).partition("The latest changes")[0].partition(f"{name}</th>")
    assert found
    return row.partition("</tr>")[0]


def test_each_promise_has_its_breaker_and_no_other() -> None:
    assert set(BREAKERS) == set(BY_KEY)


@pytest.mark.parametrize(
    ("hours", "why"), [(24.9, ""), (25.1, "The data of the newest backup is older than 24 hours.")]
)
def test_a_backup_is_as_young_as_promised_and_an_hour(
    sound: Flask, past_locks: Execute, database: Database, hours: float, why: str
) -> None:
    past_locks("DELETE FROM recovery_run WHERE kind = 1")
    backup(database, ago=timedelta(hours=hours))
    assert check_promises(sound)["backups-young"] == why


@pytest.mark.parametrize(
    ("days", "why"), [(89, ""), (91, "The last try to restore was of a backup that was more than 90 days old.")]
)
def test_a_drill_of_an_old_backup_proves_nothing_of_today(
    sound: Flask, database: Database, days: int, why: str
) -> None:
    backup(database, kind=RunKind.DRILL, ago=timedelta(hours=1), age=timedelta(days=days))
    assert check_promises(sound)["drill-young"] == why


def test_without_any_backup_it_says_so(sound: Flask, past_locks: Execute) -> None:
    past_locks("DELETE FROM recovery_run")
    came = check_promises(sound)
    assert came["backups-young"] == "No backup was ever made."
    assert came["drill-young"] == "It was never tried whether a backup can be restored."
