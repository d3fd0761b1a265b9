"""Signing in, and proving who one is, by a passkey alone. Each try is counted before it is checked. Knows no Flask.

A passkey asks on the device who is there, so it stands in for password and code (sign_in.Step.PASSKEY).
"""

from dataclasses import dataclass

from webapp.accounts import limits, sign_in_audit
from webapp.accounts.account_events import note_event
from webapp.accounts.browsers import Where
from webapp.accounts.mails import tell
from webapp.accounts.models import Passkey, UserAccount
from webapp.accounts.passkey_answers import Copied, Unusable, check_answer, credential_in, note_use, take_challenge
from webapp.accounts.passkeys import Asked, Site, ask_who, find_passkey
from webapp.accounts.sign_in import PER_NETWORK, name_of
from webapp.database.engine import Database
from webapp.tenancy.sessions import reading_session, writing_session


@dataclass(frozen=True)
class Shown:
    """Whose passkey was shown, and which."""

    person: UserAccount
    passkey_id: int


def question(database: Database, site: Site, asked: Asked, network: str) -> str:
    """What the browser is asked, as JSON. Raises TooManyTries."""
    limits.count_network(database, limits.PASSKEY_QUESTIONS, network)
    with writing_session(database) as session:
        text = ask_who(session, site, asked)
        session.commit()
    return text


def pass_passkey(
    database: Database, site: Site, asked: Asked, answer: str, where: Where, *, staff: bool = False
) -> Shown | None:
    """Who shows a passkey of theirs, if they may sign in here: staff have a page of their own. Raises TooManyTries."""
    limits.count_network(database, PER_NETWORK, where.network)
    shown = _take(database, site, asked, answer, where, "sign_in.refused")
    if shown is not None and shown.person.is_staff != staff:
        _note(database, shown.person, "sign_in.refused", "sign_in.refused", where)
        return None
    return shown


def prove_by_passkey(database: Database, site: Site, asked: Asked, answer: str, where: Where) -> bool:
    """Whether a person who is in shows a passkey of theirs. Raises TooManyTries."""
    assert asked.person is not None
    limits.count(database, limits.PROOFS, name_of(asked.person), where.network)
    return _take(database, site, asked, answer, where, "prove.refused") is not None


def _take(database: Database, site: Site, asked: Asked, answer: str, where: Where, refused: str) -> Shown | None:
    challenge, found = _use_up(database, asked, answer), _find(database, answer)
    whose = asked.person or (found[1] if found else None)
    if whose is None:
        return None
    limits.count(database, limits.PASSKEYS, name_of(whose), where.network)
    kind = refused
    if challenge is not None and found is not None and found[1].id == whose.id and found[1].is_active:
        try:
            if _store(database, found[0], check_answer(site, found[0], challenge, answer)):
                return Shown(found[1], found[0].id)
        except Copied:
            kind = "passkey.copied"
        except Unusable:
            pass
    _note(database, whose, kind, refused, where)
    return None


def _use_up(database: Database, asked: Asked, answer: str) -> bytes | None:
    """The challenge, which from now on is none, whatever becomes of the answer."""
    with writing_session(database) as session:
        try:
            return take_challenge(session, answer, asked)
        except Unusable:
            return None
        finally:
            session.commit()


def _find(database: Database, answer: str) -> tuple[Passkey, UserAccount] | None:
    try:
        credential_id = credential_in(answer)
    except Unusable:
        return None
    with reading_session(database) as session:
        return find_passkey(session, credential_id)


def _store(database: Database, passkey: Passkey, count: int) -> bool:
    with writing_session(database) as session:
        is_first = note_use(session, passkey, count)
        session.commit()
    return is_first


def _note(database: Database, person: UserAccount, kind: str, refused: str, where: Where) -> None:
    """In the account as `kind`, in the audit as what was refused.

    A copied passkey is told the person as well: they alone can say which of the two devices is theirs.
    """
    with writing_session(database) as session:
        event = note_event(session, person.id, kind, where)
        if kind == "passkey.copied":
            tell(session, "passkey_copied", person, event)
        session.commit()
    sign_in_audit.note_refused(database, person, refused)
