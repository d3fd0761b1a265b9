"""What goes by itself: links that are over, old events, and accounts that nobody lets in."""

from datetime import timedelta

import time_machine
from sqlalchemy import func, select, update

from tests.accounts.authenticator import stored
from tests.cast import Cast, assemble_cast
from webapp.accounts.account_events import note_event
from webapp.accounts.browsers import Where
from webapp.accounts.jobs import ALONE_FOR, forget_alone, forget_what_is_over
from webapp.accounts.links import file_link
from webapp.accounts.models import AccountEvent, AccountLink, LinkKind, UserAccount
from webapp.clock import now
from webapp.database.engine import Database
from webapp.jobs.handlers import chores
from webapp.tenancy.models import Membership
from webapp.tenancy.sessions import reading_session, writing_session


def people(database: Database) -> set[int]:
    with reading_session(database) as session:
        return set(session.scalars(select(UserAccount.id)))


def everybody(cast: Cast) -> set[int]:
    customers = (cast.olive, cast.max, cast.vera, cast.quentin, cast.nora, cast.nina)
    return {person.id for person in (*customers, cast.stella, cast.steven)}


def test_both_are_chores(app: object) -> None:
    assert {"accounts.forget_alone", "accounts.forget_what_is_over"} <= {name for name, _chore in chores()}


def test_an_account_without_membership_goes_after_90_days(clock: time_machine.Traveller, database: Database) -> None:
    cast = assemble_cast(database)
    clock.shift(ALONE_FOR)
    forget_alone(database)
    assert people(database) == everybody(cast)
    clock.shift(1)
    forget_alone(database)
    assert people(database) == everybody(cast) - {cast.nora.id}


def test_a_membership_that_has_ended_is_none(clock: time_machine.Traveller, database: Database) -> None:
    cast = assemble_cast(database)
    with writing_session(database, cast.harbour.id) as session:
        session.execute(
            update(Membership)
            .where(Membership.user_account_id == cast.vera.id)
            .values(ends_at=now() + timedelta(days=10))
        )
        session.commit()
    clock.shift(ALONE_FOR + timedelta(days=10))
    forget_alone(database)
    assert cast.vera.id in people(database)
    assert stored(database, cast.vera).alone_since is not None
    clock.shift(1)
    forget_alone(database)
    assert cast.vera.id not in people(database)


def test_who_is_let_in_again_stays(clock: time_machine.Traveller, database: Database) -> None:
    cast = assemble_cast(database)
    with writing_session(database) as session:
        session.get_one(UserAccount, cast.olive.id).alone_since = now() - timedelta(days=200)
        session.commit()
    forget_alone(database)
    assert stored(database, cast.olive).alone_since is None


def test_an_only_owner_whose_time_is_over_leaves_the_others_be(
    clock: time_machine.Traveller, database: Database
) -> None:
    cast = assemble_cast(database)
    with writing_session(database, cast.harbour.id) as session:
        session.execute(update(Membership).where(Membership.user_account_id == cast.olive.id).values(ends_at=now()))
        session.commit()
    clock.shift(ALONE_FOR + timedelta(days=1))
    forget_alone(database)
    assert cast.olive.id not in people(database)
    assert cast.max.id in people(database)


def test_links_and_events_that_are_over_go(clock: time_machine.Traveller, database: Database) -> None:
    cast = assemble_cast(database)
    with writing_session(database) as session:
        file_link(session, cast.olive, LinkKind.NEW_PASSWORD, cast.olive.email)
        note_event(session, cast.olive.id, "sign_in.done", Where("", ""))
        session.commit()
    for days, left in ((1, (1, 1)), (1, (0, 1)), (364, (0, 0))):
        clock.shift(timedelta(days=days))
        forget_what_is_over(database)
        with reading_session(database) as session:
            counts = [session.scalar(select(func.count()).select_from(kind)) for kind in (AccountLink, AccountEvent)]
        assert tuple(counts) == left
