"""Sends the mails that are due: `send_due` is run beside the jobs of every worker (jobs/handlers.py: an errand).

At least once each, with the Message-ID that was fixed at queueing. What the relay does not take now is put off, what it
will never take is refused; `flask list-mail` shows both. Without SMTP settings everything waits.
"""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

from config import Settings
from webapp import clock
from webapp.database.engine import Database
from webapp.outbox import claims
from webapp.outbox.models import OutboxMessage
from webapp.outbox.relay import RELAY_ERRORS, Relay, Trouble, hand_over, judge, open_relay
from webapp.outbox.rendering import Unwritable, render_mail, sender_address

#: Of the whole service: a mistake of ours must not flood anybody, nor ruin the relay's name.
MOST_AN_HOUR = 1000
_MOST_A_CONNECTION = 100

log = logging.getLogger(__name__)


def can_send(settings: Settings) -> bool:
    """Whether this service has mail set up."""
    return settings.smtp_url is not None and settings.mail_from is not None


def send_due(
    database: Database,
    settings: Settings,
    stopping: Callable[[], bool] = lambda: False,
    *,
    lease: timedelta = claims.LEASE,
) -> None:
    """Send what is due, several mails over one connection. `stopping()` ends it after the mail in hand."""
    if not can_send(settings):
        return
    while not stopping() and claims.is_any_due(database):
        room = MOST_AN_HOUR - claims.count_handed_over(database, clock.now() - timedelta(hours=1))
        if room <= 0:
            count = claims.hold_back(database, "held back: too much mail in this hour")
            log.warning("%d mails an hour are sent at most; %d wait", MOST_AN_HOUR, count)
            return
        with ExitStack() as connection:
            try:
                relay = connection.enter_context(open_relay(settings))
            except RELAY_ERRORS as error:
                trouble: Trouble | None = judge(error)
                _try_first(database, judge(error), lease)
            else:
                trouble = _send_over(database, settings, relay, stopping, lease, min(room, _MOST_A_CONNECTION))
        if trouble is not None:
            count = claims.hold_back(database, trouble.words)
            log.warning("no mail can be sent: %s; %d more wait", trouble.words, count)
            return


def _send_over(
    database: Database,
    settings: Settings,
    relay: Relay,
    stopping: Callable[[], bool],
    lease: timedelta,
    at_most: int,
) -> Trouble | None:
    """Until nothing is due. A trouble: of the relay itself, so that no other mail would be taken either."""
    for _turn in range(at_most):
        held = None if stopping() else claims.claim(database, lease)
        if held is None:
            return None
        trouble = _try(settings, relay, held)
        _end(database, held, trouble)
        if trouble is not None and trouble.of_relay:
            return trouble
    return None


def _try(settings: Settings, relay: Relay, held: OutboxMessage) -> Trouble | None:
    """None: the relay has it."""
    if held.attempts > claims.MOST_ATTEMPTS:
        return Trouble("given up: its senders died", for_good=True)
    try:
        hand_over(relay, render_mail(settings, held), sender_address(settings), held.to_address)
    except Unwritable as error:
        return Trouble(str(error), for_good=True)
    except ValueError as error:  # of this mail: SMTP cannot carry it
        return Trouble(f"could not be sent: {type(error).__name__}", for_good=True)
    except RELAY_ERRORS as error:
        return judge(error)
    return None


def _try_first(database: Database, trouble: Trouble, lease: timedelta) -> None:
    """The relay cannot be reached: that counts as an attempt for the mail whose turn it is, and for no other."""
    held = claims.claim(database, lease)
    if held is not None:
        _end(database, held, trouble)


def _end(database: Database, held: OutboxMessage, trouble: Trouble | None) -> None:
    if trouble is None:
        if claims.mark_handed_over(database, held):
            log.info("mail %d was handed over at attempt %d", held.id, held.attempts)
        else:
            log.warning("mail %d was handed over after its lease had run out; it goes again", held.id)
    elif trouble.for_good:
        log.error("mail %d is refused: %s", held.id, trouble.words)
        claims.refuse(database, held, trouble.words)
    else:
        log.warning("mail %d was put off at attempt %d: %s", held.id, held.attempts, trouble.words)
        claims.put_off(database, held, trouble.words)
