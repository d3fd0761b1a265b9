"""The session of a browser: everything that its cookie (session_cookie.py) only names, in a row of web_session.

Flask's `session` is a BrowserSession. Nobody who is not signed in has a row: their CSRF secret is computed from the id.
Rows are written in short sessions of their own, here alone: a revoked one stays revoked, for saving only updates, and
what makes a row or a stronger one (session_rows.py) holds the person meanwhile (credentials.py).
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from flask import g
from flask import session as flask_session
from flask.sessions import SessionMixin
from sqlalchemy import bindparam, event, select, update

from webapp.accounts.account_events import note_event
from webapp.accounts.browsers import here
from webapp.accounts.credentials import hold_person, is_unchanged
from webapp.accounts.mails import tell_of_network
from webapp.accounts.models import SessionState, UserAccount, WebSession
from webapp.accounts.session_ends import tell_end
from webapp.accounts.session_limits import FACTOR_FRESH_FOR, PROVED_FOR, SEEN_EVERY, has_run_out
from webapp.accounts.session_rows import (
    ONE_STEP,
    Passed,
    delete_row,
    digest_of,
    make_way,
    move_row,
    new_row,
    new_session_id,
    proved_now,
)
from webapp.audit.actions import record
from webapp.clock import from_ms, now
from webapp.database.engine import Database
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.request import looking
from webapp.tenancy.sessions import writing_session

_CSRF = "csrf_token"
_USER = "_user_id"
# What flask-login would keep besides: a fingerprint of address and browser, and the state of its remember cookie.
_NOT_KEPT = frozenset({"_id", "_fresh", "_remember", "_remember_seconds"})
_BY_DIGEST = kept(
    select(WebSession, UserAccount)
    .outerjoin(UserAccount, UserAccount.id == WebSession.user_account_id)
    .where(WebSession.id_digest == bindparam("digest"))
)


class BrowserSession(SessionMixin):
    """What Flask, Flask-WTF and Flask-Login see. The row is read when it is first needed: static files need none."""

    def __init__(self, database: Database, csrf_key: bytes, session_id: str | None) -> None:
        self.database = database
        self.session_id = session_id
        self.sent_id = session_id  #: the id that the browser has already
        self.modified = False
        self._csrf_key = csrf_key
        self._row: WebSession | None = None
        self._person: UserAccount | None = None
        self._waiting_person: UserAccount | None = None
        self._payload: dict[str, Any] = {}
        self._looked = False
        self._fresh_idle: int | None = None

    @property
    def person(self) -> UserAccount | None:
        """Who is signed in."""
        self._look()
        return self._person

    @property
    def waiting_person(self) -> UserAccount | None:
        """Who has passed a step of the sign-in and is not in yet."""
        self._look()
        return self._waiting_person

    @property
    def is_proved(self) -> bool:
        """Whether the person has shown who they are in the last ten minutes."""
        self._look()
        proved_at = self._row.proved_at if self._row else None
        return proved_at is not None and now() - proved_at < PROVED_FOR

    @property
    def shown_factor_at(self) -> datetime | None:
        """When a code or a passkey was last given in it. None: never."""
        self._look()
        factor_ms = self._row.factor_ms if self._row else None
        return None if factor_ms is None else from_ms(factor_ms)

    @property
    def has_fresh_factor(self) -> bool:
        """Whether that was in the last five minutes."""
        shown_at = self.shown_factor_at
        return shown_at is not None and now() - shown_at < FACTOR_FRESH_FOR

    @property
    def row_id(self) -> int | None:
        """By which the Security page names this browser."""
        self._look()
        return self._row.id if self._row else None

    @property
    def has_row(self) -> bool:
        """Whether anything can be kept in it."""
        return self.row_id is not None

    def begin(self, payload: dict[str, Any], person: UserAccount | None = None) -> bool:
        """A row for somebody on their way in: they passed the first step, or hold an invitation. A new id.

        What is in `payload` is kept until they are in, and then in the session of the person. False as for start().
        """
        if not self._open_row(person, SessionState.ON_ITS_WAY, {**self._kept_on_the_way(), **payload}):
            return False
        self._person, self._waiting_person = None, person
        return True

    def start(
        self, person: UserAccount, *events: str, by: Passed = ONE_STEP, organization_id: int | None = None
    ) -> bool:
        """Sign the person in: a new id and a row for it; the old id is dead from now on. `events` are noted with it.

        What was kept on their way in stays; what somebody who was signed in here before had kept is none of theirs.
        `by`: what they passed. `organization_id`: in whose audit the sign-in stands from the same moment. False, and
        nothing is changed, when what they proved, as `person` was read, counts no more.
        """
        if not self._open_row(person, SessionState.SIGNED_IN, self._kept_on_the_way(), events, by, organization_id):
            return False
        self._person, self._waiting_person = person, None
        return True

    def _kept_on_the_way(self) -> dict[str, Any]:
        self._look()
        on_their_way = self._row is not None and self._row.state == SessionState.ON_ITS_WAY
        return self._payload if on_their_way else {}

    def _open_row(
        self,
        person: UserAccount | None,
        state: SessionState,
        payload: dict[str, Any],
        events: tuple[str, ...] = (),
        by: Passed = ONE_STEP,
        organization_id: int | None = None,
    ) -> bool:
        fresh_id, where = new_session_id(), here()
        row = new_row(self.database, fresh_id, person, state, payload, by)
        with writing_session(self.database, organization_id) as session:
            if not make_way(session, self.session_id, person, by):
                session.commit()
                return False
            session.add(row)
            for kind in events if person else ():
                event = note_event(session, person.id, kind, where)  # type: ignore[union-attr]
                if kind == "sign_in.new_network":
                    tell_of_network(session, person, event)  # type: ignore[arg-type]
            if person and organization_id is not None:
                record(session, "sign_in.done", actor_id=person.id)
            session.commit()
        self.session_id, self._row, self._payload, self._looked = fresh_id, row, payload, True
        _forget_token()
        return True

    def hold(self, session: LockedSession) -> UserAccount | None:
        """The person, held until the transaction of `session` ends.

        None when this browser's session was ended since, or what they signed in by counts no more: then whoever asks
        may change nothing of what guards the account.
        """
        self._look()
        held = hold_person(session, self._person.id) if self._person else None
        if held is None or not is_unchanged(held, self._person):  # type: ignore[arg-type]
            return None
        # By the id in the cookie: the row may have been given another one since, by whoever else holds this one.
        present = session.scalar(select(WebSession.id).where(WebSession.id_digest == digest_of(self.session_id or "")))
        return None if present is None else held

    def renew_with(self, session: LockedSession, *, factor: bool = False) -> None:
        """A new id for this row, in the transaction of what ends all others: the old one is dead when that is done.

        After hold(), by who has just shown who they are; `factor`: with a code or a passkey. The id is this browser's
        once `session` is committed.
        """
        fresh_id = new_session_id()
        move_row(session, self.session_id, fresh_id, **proved_now(factor=factor))
        event.listen(session, "after_commit", lambda _session: self._take(fresh_id), once=True)

    def _take(self, session_id: str) -> None:
        """Go on by another id; whatever is asked next is read anew."""
        self.session_id = session_id
        self._looked, self._row, self._person, self._payload = False, None, None, {}
        _forget_token()

    def renew(self, *, factor: bool = False) -> bool:
        """The person has shown anew who they are: a new id for the same row, which alone is never made again.

        `factor`: with a code or a passkey. False, and nothing is changed, when the session was ended meanwhile, or what
        they showed counts no more.
        """
        self._look()
        shown = self._person
        if shown is None:
            return False
        fresh_id = new_session_id()
        with writing_session(self.database) as session:
            held = hold_person(session, shown.id)
            moved = move_row(session, self.session_id, fresh_id, **proved_now(factor=factor))
            renewed = moved and held is not None and is_unchanged(held, shown)
            if renewed:
                session.commit()
        self._take(fresh_id if renewed else self.session_id or "")
        return renewed

    def follow_rights(self) -> None:
        """A new id where the person's rights were changed: the old one, with what it opened, is dead from now on.

        Of several requests at once the first gets it; the others are answered all the same.
        """
        if self._row is None or not self._row.renewal_due:
            return
        fresh_id = new_session_id()
        with writing_session(self.database) as session:
            moved = move_row(session, self.session_id, fresh_id, renewal_due=False)
            session.commit()
        if moved:  # the row is not read again: this request reads as of its beginning
            self.session_id, self._row.id_digest, self._row.renewal_due = fresh_id, digest_of(fresh_id), False
            _forget_token()

    def follow_idle(self, minutes: int) -> bool:
        """Take over the idle limit of the person's organizations. False when they were idle for longer."""
        if self._row is None or self._row.idle_minutes == minutes:
            return True
        self._fresh_idle = minutes
        return now() - self._row.last_seen_at < timedelta(minutes=minutes)

    def end(self, *events: str) -> None:
        """Sign out: the row is gone, and the cookie with it. `events` are noted with it."""
        self._look()
        if self._person is not None:
            tell_end(self.database, self._person.id, self._payload)
        with writing_session(self.database) as session:
            delete_row(session, self.session_id)
            for kind in events if self._person else ():
                note_event(session, self._person.id, kind, here())  # type: ignore[union-attr]
            session.commit()
        self.session_id, self._row, self._person, self._payload, self._looked = None, None, None, {}, True
        self._waiting_person = None

    def forget(self) -> None:
        """The row is gone with the person: the cookie goes too."""
        self._person, self._waiting_person = None, None
        self.end()

    def save(self, *, polled: bool = False) -> None:
        """Write what changed, if the row is still there. `polled`: the page asked by itself, the person may be idle."""
        if self._row is None:
            return
        changes: dict[str, Any] = {}
        if self.modified:
            changes["payload"] = json.dumps(self._payload)
        if not polled and now() - self._row.last_seen_at >= SEEN_EVERY:
            changes["last_seen_at"] = now()
        if self._fresh_idle is not None:
            changes["idle_minutes"] = self._fresh_idle
        if changes:
            with writing_session(self.database) as session:
                session.execute(update(WebSession).where(WebSession.id_digest == self._row.id_digest).values(**changes))
                session.commit()

    def _look(self) -> None:
        if self._looked or self.session_id is None:
            return
        self._looked = True
        with looking() as session:
            found = session.rows(_BY_DIGEST, {"digest": digest_of(self.session_id)})
        if not found or has_run_out(found[0][0]):
            return
        row, person = found[0]
        if row.state == SessionState.SIGNED_IN:
            if person is None or not person.is_active:
                return
            self._person = person
        else:
            if person is not None and not person.is_active:
                return
            self._waiting_person = person
        self._row, self._payload = row, json.loads(row.payload)

    def _csrf_secret(self) -> str:
        if self.session_id is None:
            self.session_id = new_session_id()
        return hmac.new(self._csrf_key, self.session_id.encode(), hashlib.sha256).hexdigest()

    def __getitem__(self, key: str) -> Any:
        if key == _CSRF:
            return self._csrf_secret()
        if key in _NOT_KEPT:
            raise KeyError(key)
        self._look()
        if key == _USER:
            if self._person is None:
                raise KeyError(key)
            return self._person.get_id()
        return self._payload[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if key == _CSRF:
            self._csrf_secret()  # ours, instead of the random one that Flask-WTF offers
        elif key not in _NOT_KEPT and key != _USER:
            self._look()
            if self._row is None:
                raise RuntimeError(f"{key!r} cannot be kept: nobody is signed in, and anonymous visitors have no row")
            self._payload[key] = value
            self.modified = True

    def __delitem__(self, key: str) -> None:
        if key in _NOT_KEPT or key in (_CSRF, _USER):
            return
        self._look()
        del self._payload[key]
        self.modified = True

    def __contains__(self, key: object) -> bool:
        if key == _CSRF:
            return self.session_id is not None
        try:
            self[str(key)]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        self._look()
        return iter(self._payload)

    def __len__(self) -> int:
        return len(list(iter(self)))


def browser_session() -> BrowserSession:
    """Of the present request: Flask's `session` itself, not its stand-in."""
    found = flask_session._get_current_object()  # type: ignore[attr-defined]
    assert isinstance(found, BrowserSession)
    return found


def _forget_token() -> None:
    """Flask-WTF keeps a request's token in `g`: one of the old id, which the page of this answer must not carry."""
    g.pop(_CSRF, None)
