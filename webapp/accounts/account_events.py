"""What happened to a person's own account: the closed list, and the one way to note it.

note_event(session, person.id, "password.changed", where) in the transaction of what it tells. The Security page shows
the last 50. Who looked at what in an organization is the audit's (audit/).
"""

from sqlalchemy.orm import Session

from webapp.accounts.browsers import Where
from webapp.accounts.models import AccountEvent
from webapp.clock import now
from webapp.database.ids import new_id

SHOWN_AT_MOST = 50
KEPT_DAYS = 365
#: Kind -> how the Security page tells it.
KINDS = {
    "sign_in.done": "Signed in",
    "sign_in.refused": "Somebody tried to sign in and was refused",
    "sign_in.new_network": "Signed in from a network not used before",
    "sign_out.done": "Signed out",
    "prove.refused": "Asked again who it is, a signed-in browser gave a wrong password, code or passkey",
    "password.changed": "Password changed",
    "password.link_sent": "A link for a new password was asked for",
    "password.set_by_link": "New password set through a link by mail",
    "factor.set": "Authenticator app set up",
    "factor.removed": "Authenticator app turned off",
    "passkey.added": "Passkey added",
    "passkey.renamed": "Passkey renamed",
    "passkey.removed": "Passkey removed",
    "passkey.copied": "A passkey was refused because it looks like a copy",
    "factor.lost": "Asked to be let in without the second factor, which is lost",
    "factor.kept": "That the second factor is lost was taken back: it stays",
    "factor.taken_away": "Second factor taken away, because it was lost",
    "recovery.used": "Recovery code used",
    "recovery.renewed": "New recovery codes made",
    "address.added": "E-mail address added",
    "address.removed": "E-mail address removed",
    "address.primary": "Another e-mail address made the primary one",
    "session.ended": "One browser signed out from here",
    "sessions.ended": "All other browsers signed out",
    "data.downloaded": "Downloaded what is held about you",
}


def note_event(session: Session, user_account_id: int, kind: str, where: Where) -> AccountEvent:
    """Write it down. Raises KeyError for a kind that KINDS does not tell."""
    KINDS[kind]
    event = AccountEvent(
        user_account_id=user_account_id,
        id=new_id(),
        kind=kind,
        at=now(),
        network=where.network,
        browser=where.browser,
    )
    session.add(event)
    session.flush()
    return event
