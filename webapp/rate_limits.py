"""Limits on how often something may be tried, counted before it is tried and committed on their own; or, of what is
used up only by being done, counted in the transaction that does it.

GCRA: one number a key, the theoretical arrival time, moved by one atomic upsert; two tries at once cannot both take the
last place. Keys are keyed digests: the table knows no address. Used by accounts/ and invitations/.
"""

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass

from flask import current_app
from sqlalchemy import BigInteger, Connection, LargeBinary, bindparam, text
from sqlalchemy.orm import Session

from webapp.clock import now_ms
from webapp.database.engine import Database
from webapp.tallies import Tally, add, today

_HIT = """
INSERT INTO throttle (throttle_key, arrival_ms) VALUES (:key, :now + :step)
ON CONFLICT (throttle_key) DO UPDATE SET arrival_ms = {larger}(throttle.arrival_ms, :now) + :step
 WHERE {larger}(throttle.arrival_ms, :now) - :now <= :slack
RETURNING arrival_ms
"""
_PARAMETERS = (
    bindparam("key", type_=LargeBinary),
    bindparam("now", type_=BigInteger),
    bindparam("step", type_=BigInteger),
    bindparam("slack", type_=BigInteger),
)
_HITS = {
    "sqlite": text(_HIT.format(larger="max")).bindparams(*_PARAMETERS),
    "postgresql": text(_HIT.format(larger="greatest")).bindparams(*_PARAMETERS),
}
_REMEMBER = text(
    "INSERT INTO throttle (throttle_key, arrival_ms) VALUES (:key, :until) "
    "ON CONFLICT (throttle_key) DO UPDATE SET arrival_ms = excluded.arrival_ms"
)
_ARRIVAL = text("SELECT arrival_ms FROM throttle WHERE throttle_key = :key")
_SWEEP = text("DELETE FROM throttle WHERE arrival_ms < :now")


#: Shown in the staff console.
LIMITED_NETWORKS = Tally("limited_network", ("day", "network", "limit_name"), "refusals", has_last=True)


@dataclass(frozen=True)
class Limit:
    """`burst` at once, then one more every `every_ms` milliseconds.

    `by_network`: the last of what it is counted by is a network; one that is turned away is noted for a week.
    """

    name: str
    burst: int
    every_ms: int
    by_network: bool = False


def hit(database: Database, limit: Limit, *what: str) -> int:
    """Count one try. 0 when it is within the limit, else the seconds until the next one is."""
    with database.writing.begin() as connection:
        wait_seconds = _hit(connection, limit, what, 1)
    if wait_seconds and limit.by_network:
        add(database, LIMITED_NETWORKS, today(), what[-1], limit.name)
    return wait_seconds


def hit_within(session: Session, limit: Limit, *what: str, times: int) -> int:
    """As hit(), `times` at once or not at all, in the caller's transaction: what is undone has not counted."""
    # A bare connection, which the session lock refuses: the table is no organization's, and nothing of it is narrowed.
    return _hit(Session.connection(session), limit, what, times) if times else 0


def _hit(connection: Connection, limit: Limit, what: tuple[str, ...], times: int) -> int:
    key, now = digest(limit.name, *what), now_ms()
    slack = (limit.burst - times) * limit.every_ms
    values = {"key": key, "now": now, "step": times * limit.every_ms, "slack": slack}
    if slack >= 0 and connection.execute(_HITS[connection.dialect.name], values).first() is not None:
        return 0
    arrival: int = connection.execute(_ARRIVAL, {"key": key}).scalar_one_or_none() or now
    return max(1, -(-(arrival - now - slack) // 1000))


def remember(database: Database, for_ms: int, *what: str) -> None:
    """Keep a mark for so long."""
    with database.writing.begin() as connection:
        connection.execute(_REMEMBER, {"key": digest("mark", *what), "until": now_ms() + for_ms})


def sweep(database: Database) -> None:
    """Forget the rows that say nothing any more. An hourly chore: two among sign-ins could wait for each other."""
    with database.writing.begin() as connection:
        connection.execute(_SWEEP, {"now": now_ms()})


def is_remembered(database: Database, *what: str) -> bool:
    """Whether a mark is still kept."""
    with database.reading.connect() as connection:
        until = connection.execute(_ARRIVAL, {"key": digest("mark", *what)}).scalar_one_or_none()
    return until is not None and until > now_ms()


def network_of(address: str | None) -> str:
    """What counts as one sender: an IPv4 address, or the /64 of an IPv6 address, which is one line of a provider."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def digest(*parts: str) -> bytes:
    """The key of what is limited, keyed so that nobody who reads the table can try out addresses."""
    assert isinstance(current_app.secret_key, str)
    words = "\x00".join(("throttle", *parts))
    return hmac.new(current_app.secret_key.encode(), words.encode(), hashlib.sha256).digest()
