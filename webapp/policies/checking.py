"""Runs the checks of all promises: at each start of a worker, and every hour. What turned is kept, and told to staff.

State, change, mail and the line in the service's chain land in one transaction, which holds the end of that chain: two
workers that check at once write one after the other, and a turn is told once. Registered by create_app().
"""

import time
from collections.abc import Callable, Mapping
from weakref import WeakKeyDictionary, ref

from flask import Flask
from sqlalchemy import select

from webapp import logs
from webapp.accounts.models import AccountState, UserAccount
from webapp.audit.actions import hold_head
from webapp.audit.service_chain import SERVICE_ID, note_for_service
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.jobs.handlers import register_chore
from webapp.outbox.actions import queue_mail
from webapp.policies.models import PromiseChange, PromiseState
from webapp.policies.promise import CheckContext, Promise
from webapp.policies.promises import BY_KEY, NOT_KNOWN, PROMISES, promise_of
from webapp.policies.said import find_said
from webapp.policies.states import State, list_states
from webapp.services import Services
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.sessions import reading_session, writing_session

TEMPLATE = "promise_broken"
COULD_NOT_RUN = "The check could not run, so we cannot say."
#: What is answered in the same process comes first: all checks at once would hold it up for a third of a second.
_REST_SECONDS = 0.05
_apps: WeakKeyDictionary[Database, "ref[Flask]"] = WeakKeyDictionary()


def register(app: Flask) -> None:
    """Let workers of this app's database check what the app promises."""
    found: Services = app.extensions["callbook"]
    _apps[found.database] = ref(app)
    register_chore("policies.check_promises", check_hourly)


def check_hourly(database: Database) -> None:
    """The chore. A worker whose app is gone has nothing to check."""
    known = _apps.get(database)
    app = known() if known else None
    if app is not None:
        check_promises(app, lambda: time.sleep(_REST_SECONDS))


def check_promises(app: Flask, rest: Callable[[], None] = lambda: None) -> Mapping[str, str]:
    """Check all of them, and keep what came of it; gives why each is not kept, "" where it is.

    One of which nothing can be said here is not among them. `rest` is called after each, and within long ones.
    """
    found: Services = app.extensions["callbook"]
    with reading_session(found.database) as session:
        moment, before = now(), list_states(session)
        said = find_said(session, found.settings, moment)
    context = CheckContext(app, found.database, found.staff_database, found.settings, moment, said, before, rest)
    dropped = [promise_of(key) for key in said.promise_keys if key not in BY_KEY]
    results = {promise.key: _check(promise, context) for promise in (*PROMISES, *dropped)}
    # What nothing promises any more is not broken for ever.
    results |= {key: "" for key, state in before.items() if state.why == NOT_KNOWN and key not in results}
    came = {key: why for key, why in results.items() if why is not None}
    with writing_session(found.database) as session:
        _keep(session, context, came)
        session.commit()
    return came


def _check(promise: Promise, context: CheckContext) -> str | None:
    context.rest()
    try:
        return promise.check(context)
    except Exception as error:  # noqa: BLE001 - what cannot be checked is not kept, and holds up no other
        logs.event("promise.not_checked", promise=promise.key, error=type(error).__name__)
        return COULD_NOT_RUN


def _keep(session: LockedSession, context: CheckContext, results: Mapping[str, str]) -> None:
    with session.beside(SERVICE_ID) as chain:
        hold_head(chain)
    moment, before = context.moment, list_states(session)
    came = {key: why for key, why in results.items() if not _is_outrun(context, key, before.get(key), why)}
    turned = [key for key, why in came.items() if _is_turn(before.get(key), why)]
    for key, why in came.items():
        known = before.get(key)
        since_at = moment if known is None or key in turned else known.since_at
        session.merge(PromiseState(promise=key, kept=not why, since_at=since_at, checked_at=moment, why=why))
    for key in turned:
        session.add(PromiseChange(promise=key, id=new_id(), at=moment, kept=not came[key], why=came[key]))
    session.flush()
    red = {key: came[key] for key in turned if came[key]}
    if red:
        _tell_staff(session, red)
    for key in turned:
        state = f"not kept: {came[key]}" if came[key] else "kept again"
        note_for_service(session, "service.promise_turned", None, None, promise=promise_of(key).name, state=state)


def _is_outrun(context: CheckContext, key: str, known: State | None, why: str) -> bool:
    """Whether another process has looked since, or has found it broken while this one was looking."""
    if known is None:
        return False
    is_news = known != context.before.get(key)
    return known.checked_at > context.moment or (is_news and not known.kept and not why)


def _is_turn(before: State | None, why: str) -> bool:
    """At the first look of all only what is not kept is worth telling."""
    return bool(why) if before is None else before.kept != (not why)


def _tell_staff(session: LockedSession, red: Mapping[str, str]) -> None:
    """One mail to each of them for all that turned at this check."""
    lines = "\n".join(f"{promise_of(key).name}: {why}" for key, why in red.items())
    turn = spell_id(new_id())
    staff = select(UserAccount).where(UserAccount.is_staff, UserAccount.state == AccountState.ACTIVE)
    for person in session.scalars(staff.order_by(UserAccount.id)).all():
        words: dict[str, str | int | None] = {"count": len(red), "lines": lines}
        queue_mail(session, TEMPLATE, person.email, cause=f"promises:{turn}", words=words)
