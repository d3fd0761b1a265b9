"""What a narrowed member sees, as it is stored, and the lock under which members change.

Asked by the guard for every request, by exports and pages.
"""

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import BigInteger, bindparam, select

from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.models import MembershipDestination, MembershipParty, Organization
from webapp.tenancy.narrowing import DestinationDays, Narrowing, PartyDays, Span, id_of, join_windows
from webapp.tenancy.row_security import TenancyError

_PERSON = bindparam("person", type_=BigInteger)
_PARTIES = kept(
    select(MembershipParty.party_id, MembershipParty.from_at, MembershipParty.until_at).where(
        MembershipParty.user_account_id == _PERSON
    )
)
_DESTINATIONS = kept(
    select(MembershipDestination.destination_id, MembershipDestination.from_at, MembershipDestination.until_at).where(
        MembershipDestination.user_account_id == _PERSON
    )
)

#: From destinations with days to what they open of parties at this moment, and whether there is more than was read.
Lend = Callable[[LockedSession, Sequence[DestinationDays]], tuple[Sequence[PartyDays], bool]]
_lenders: list[Lend] = []

_when_gone: dict[str, Callable[[LockedSession, int], None]] = {}


def when_member_goes(name: str, hook: Callable[[LockedSession, int], None]) -> None:
    """Call `hook` with the person's id in the transaction in which they leave the bound organization or are removed.

    For what is theirs and stays here: later packages register it in create_app().
    """
    _when_gone[name] = hook


def let_go(session: LockedSession, user_account_id: int) -> None:
    """Told by whoever takes a membership away, before it is gone."""
    for hook in _when_gone.values():
        hook(session, user_account_id)


def register_lender(lend: Lend) -> None:
    """Called by destinations/, which knows whose a party is. As long as nobody does, destinations open nothing."""
    _lenders[:] = [lend]


def load_narrowing(session: LockedSession, user_account_id: int) -> Narrowing:
    """Of a member of the bound organization who is narrowed. The session is not, as in open_spans()."""
    return open_spans(session, list_spans(session, user_account_id))


def list_spans(session: LockedSession, user_account_id: int) -> tuple[Span, ...]:
    """What a member was given, as it is stored, in order."""
    values = {"person": user_account_id}
    spans: list[Span] = [PartyDays.between(*row) for row in session.rows(_PARTIES, values)]
    spans += [DestinationDays.between(*row) for row in session.rows(_DESTINATIONS, values)]
    return in_order(spans)


def open_spans(session: LockedSession, spans: Iterable[Span]) -> Narrowing:
    """The narrowing that these spans make at this moment.

    `session` is bound to the organization and not narrowed: a narrowed one knows no holders but its own.
    """
    if session.narrowing is not None:
        raise TenancyError("a narrowing is made in a session that is not narrowed")
    ordered = in_order(spans)
    named = [span for span in ordered if isinstance(span, DestinationDays)]
    lent = [lend(session, named) for lend in _lenders] if named else []
    windows = [window for found, _more in lent for window in found]
    return Narrowing(ordered, join_windows(windows), any(more for _found, more in lent))


def in_order(spans: Iterable[Span]) -> tuple[Span, ...]:
    """By when they begin, so that the same spans are always the same tuple."""
    return tuple(sorted(spans, key=lambda span: (span.from_ms, id_of(span))))


def hold_organization(session: LockedSession) -> None:
    """Until the transaction ends nobody else changes members: two owners cannot remove each other at once."""
    session.scalars(
        select(Organization).where(Organization.id == session.organization_id).with_for_update(key_share=True)
    ).one()
