"""What a narrowed session sees of calls, of who took part in them, and of the names that these have.

Registered with the session lock when the package is loaded (calls/__init__.py), whoever loads it.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, func, or_

from webapp.calls.models import (
    Call,
    CallDay,
    CallLink,
    CallMonth,
    CallParty,
    CallRecord,
    CallRecordVersion,
    CallSearch,
    CallToReturn,
    CallTotal,
    ImportFile,
    PartyRole,
    PartyTotal,
    Pbx,
    RejectedLine,
    ReturnMail,
)
from webapp.destinations.models import Destination, DestinationKind, Party, PartyHolder, PartyKind
from webapp.tenancy.narrowing import Narrowing, bare, closed_to_narrowed, narrowed_by, open_to_narrowed

_EMERGENCY = ("112", "911", "999")
_SHORTEST_OUTSIDE = 7  #: digits: no extension is as long


def _of_call(narrowing: Narrowing, organization_id: int, started_at: Any, call_key: Any) -> ColumnElement[bool]:
    """In the call with this key a party of theirs took part, in its days."""
    own = bare(CallParty)
    return exists().where(
        own.c.organization_id == organization_id,
        narrowing.took_part(own.c.party_id, own.c.started_at),
        own.c.started_at == started_at,
        own.c.call_key == call_key,
    )


def _of_call_party(narrowing: Narrowing, organization_id: int) -> ColumnElement[bool]:
    """A row of theirs, in its days, is in a call of theirs; whether others are is looked up."""
    is_theirs = narrowing.took_part(CallParty.party_id, CallParty.started_at)
    return or_(is_theirs, _of_call(narrowing, organization_id, CallParty.started_at, CallParty.call_key))


def _of_record(narrowing: Narrowing, organization_id: int, call_key: Any) -> ColumnElement[bool]:
    """The same where the call's start is not at hand."""
    call = bare(Call)
    return exists().where(
        call.c.organization_id == organization_id,
        call.c.call_key == call_key,
        _of_call(narrowing, organization_id, call.c.started_at, call.c.call_key),
    )


def _of_version(narrowing: Narrowing, organization_id: int) -> ColumnElement[bool]:
    record = bare(CallRecord)
    return exists().where(
        record.c.organization_id == organization_id,
        record.c.record_key == CallRecordVersion.record_key,
        _of_record(narrowing, organization_id, record.c.call_key),
    )


def _of_party(narrowing: Narrowing, organization_id: int) -> ColumnElement[bool]:
    """Theirs, and whoever else took part in their calls, but the extensions of others: these are colleagues."""
    other = bare(CallParty)
    in_their_calls = exists().where(
        other.c.organization_id == organization_id,
        other.c.party_id == Party.id,
        _of_call(narrowing, organization_id, other.c.started_at, other.c.call_key),
    )
    theirs = Party.id.in_(sorted(narrowing.party_ids))
    return or_(theirs, and_(_is_outside(), in_their_calls))


def _is_outside() -> ColumnElement[bool]:
    """Surely nobody of the house: a short number or a name that could not be made out may be a colleague's."""
    code = or_(Party.digits.like("*%"), Party.digits.like("#%"), Party.digits.in_(_EMERGENCY))
    return or_(
        Party.kind == PartyKind.OUTSIDE,
        and_(Party.kind == PartyKind.SERVICE, code),
        and_(Party.kind == PartyKind.OTHER, func.length(Party.digits) >= _SHORTEST_OUTSIDE),
    )


def _of_holder(narrowing: Narrowing, organization_id: int) -> ColumnElement[bool]:
    """Whose a party is in the days in which they see it, and when an outside number that they see changed hands: the
    name before does not go on where the next one is closed to them.
    """
    return or_(
        _holds_within(narrowing, organization_id, PartyHolder), _holds_outside(narrowing, organization_id, PartyHolder)
    )


def _of_destination(narrowing: Narrowing, organization_id: int) -> ColumnElement[bool]:
    """What they were given, with what was merged into it, and what gives its name to a party that they see. To an
    outside number only who is outside too: a colleague's own mobile is a colleague's.
    """
    given = sorted(narrowing.destination_ids)
    holder = bare(PartyHolder)
    names_one = exists().where(
        holder.c.organization_id == organization_id,
        holder.c.destination_id == Destination.id,
        or_(
            _holds_within(narrowing, organization_id, holder.c),
            and_(
                Destination.kind >= int(DestinationKind.CUSTOMER), _holds_outside(narrowing, organization_id, holder.c)
            ),
        ),
    )
    return or_(Destination.id.in_(given), Destination.merged_into_id.in_(given), names_one)


def _holds_outside(narrowing: Narrowing, organization_id: int, holder: Any) -> ColumnElement[bool]:
    """Of rows of party_holder, by their columns: of an outside party, in whose calls they took part, each."""
    party, other = bare(Party), bare(CallParty)
    return exists().where(
        party.c.organization_id == organization_id,
        party.c.id == holder.party_id,
        party.c.id.not_in(sorted(narrowing.party_ids)),
        party.c.kind == int(PartyKind.OUTSIDE),
        exists().where(
            other.c.organization_id == organization_id,
            other.c.party_id == party.c.id,
            _of_call(narrowing, organization_id, other.c.started_at, other.c.call_key),
        ),
    )


def _holds_within(narrowing: Narrowing, organization_id: int, holder: Any) -> ColumnElement[bool]:
    """The same: of a party that is theirs, where it holds in days of theirs; before or after it is a colleague's."""
    conditions: list[ColumnElement[bool]] = [false()]
    for (start, end), party_ids in narrowing.by_days.items():
        condition: list[ColumnElement[bool]] = [holder.party_id.in_(party_ids)]
        if end is not None:
            condition.append(holder.from_at < end)
        if start is not None:
            later = bare(PartyHolder)
            taken_over = exists().where(
                later.c.organization_id == organization_id,
                later.c.party_id == holder.party_id,
                later.c.from_at > holder.from_at,
                later.c.from_at <= start,
            )
            condition.append(~taken_over)
        conditions.append(and_(*condition))
    return or_(*conditions)


def _of_call_to_return(narrowing: Narrowing, organization_id: int) -> ColumnElement[bool]:
    """One of the tries reached a party of theirs: in these days the caller called in no other calls."""
    other = bare(CallParty)
    return exists().where(
        other.c.organization_id == organization_id,
        other.c.party_id == CallToReturn.party_id,
        other.c.started_at >= CallToReturn.first_at,
        other.c.started_at <= CallToReturn.last_at,
        other.c.roles.bitwise_and(int(PartyRole.CALLER)) != 0,
        _of_call(narrowing, organization_id, other.c.started_at, other.c.call_key),
    )


narrowed_by(Call, lambda narrowing, at: _of_call(narrowing, at, Call.started_at, Call.call_key))
narrowed_by(CallParty, _of_call_party)
narrowed_by(CallRecord, lambda narrowing, at: _of_record(narrowing, at, CallRecord.call_key))
narrowed_by(CallRecordVersion, _of_version)
narrowed_by(Party, _of_party)
narrowed_by(PartyHolder, _of_holder)
narrowed_by(Destination, _of_destination)
narrowed_by(CallToReturn, _of_call_to_return)
# Sums and whole files cannot be cut to some calls.
closed_to_narrowed(CallTotal, CallDay, CallMonth, PartyTotal, RejectedLine, CallLink)
open_to_narrowed(Pbx, ImportFile, CallSearch, ReturnMail)
