"""Builders: one call, one phone system, stored the way ingest/writer.py stores them, so that every page finds them.

    pbx = make.pbx()
    call = make.call(pbx=pbx, caller="+442079460123", callee="201", outcome=Outcome.ANSWERED, talk=180)

Numbers that begin with "+" are outside numbers, short digits are extensions of the phone system. Times are UTC.
"""

import struct
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers
from sqlalchemy import select

from tests.cast import PASSWORD
from webapp.accounts.models import FactorRemoval, RemovalState, UserAccount
from webapp.calls.models import (
    Call,
    CallDay,
    CallerReason,
    CallMonth,
    CallParty,
    CallRecord,
    CallToReturn,
    CallTotal,
    ImportFile,
    ImportState,
    PartyRole,
    PartyTotal,
    Pbx,
    RejectedLine,
)
from webapp.calls.outcomes import Direction, Outcome, is_missed
from webapp.calls.periods import month_number
from webapp.clock import now, to_ms
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.database.staff_rights import EVERYTHING, Area
from webapp.destinations.contact_models import ContactImport, ContactState
from webapp.destinations.holders import write_holders_of
from webapp.destinations.models import Destination, DestinationKind, LineType, Party, PartyHolder, PartyKind
from webapp.destinations.route_models import (
    LookupAnswer,
    Number,
    NumberKind,
    Route,
    RouteLookup,
    RoutePlan,
    Schedule,
    ScheduleKind,
    ScheduleVersion,
)
from webapp.destinations.routing import Holidays, Hours, RouteLine
from webapp.destinations.schedule_text import spell_content
from webapp.ingest.assembly import TALKED_ALL
from webapp.invitations.actions import Inviter, cause_of_mail, invite, whole_offer
from webapp.invitations.joining import Opened, accept_as_newcomer
from webapp.organizations.models import Invitation
from webapp.organizations.offers import Offer
from webapp.outbox.models import OutboxMessage
from webapp.privacy.models import Takeout, TakeoutChunk, TakeoutState
from webapp.sealing import unseal
from webapp.sources.models import PbxToken
from webapp.tenancy.consent_models import (
    AccessGrant,
    AccessOpening,
    AccessRequest,
    Disclosure,
    DisclosureState,
    FactorConsent,
    RequestState,
)
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, MembershipDestination, MembershipParty, Organization, Role
from webapp.tenancy.sessions import writing_session

#: Of the settings of the tests; conftest.py has it from here.
SECRET_KEY = "a key of the tests, known to everybody"
#: When a call starts unless told: Wednesday, in summer time.
NOON = datetime(2026, 7, 15, 12, 0, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROLES = {
    "caller": PartyRole.CALLER,
    "dialed": PartyRole.DIALED,
    "callee": PartyRole.RANG,
    "did": PartyRole.OWN_NUMBER,
}


class Make:
    """Builders for one organization. Each stores and commits."""

    def __init__(self, database: Database, organization: Organization) -> None:
        self.database = database
        self.organization = organization
        self._turn = count(1)
        self._pbx: Pbx | None = None

    def at(self, organization: Organization) -> "Make":
        """The same for another organization."""
        return Make(self.database, organization)

    def session(self) -> LockedSession:
        """A writing session of the organization, for what no builder does."""
        return writing_session(self.database, self.organization.id)

    def store(self, row: Any) -> Any:
        """Any mapped row."""
        with self.session() as session:
            session.add(row)
            session.commit()
        return row

    def pbx(self, name: str = "", **fields: Any) -> Pbx:
        """A phone system whose three questions are answered."""
        values: dict[str, Any] = {
            "id": new_id(),
            "name": name or f"Phone system {next(self._turn)}",
            "format": "asterisk_cdr_csv",
            "time_zone": self.organization.time_zone,
            "region": self.organization.region,
            "area_code": "",
            "outside_prefix": "",
            "extension_digits": "3",
            "outside_lines": "[]",
            "answered_at": now(),
            "column_map": None,
            "settings_version": 1,
            "created_at": now(),
            "closed_at": None,
        }
        pbx: Pbx = self.store(Pbx(**{**values, **fields}))
        self._pbx = self._pbx or pbx
        return pbx

    def token(self, pbx: Pbx) -> PbxToken:
        """A token of a phone system, whose text nobody knows."""
        own_id = new_id()
        digest = own_id.to_bytes(32, "big")
        values = {"pbx_id": pbx.id, "prefix": f"cb_{own_id % 1000}", "token_digest": digest, "created_at": now()}
        token: PbxToken = self.store(PbxToken(id=own_id, **values))
        return token

    def import_file(self, pbx: Pbx | None = None, **fields: Any) -> ImportFile:
        """A file that was imported; it brought nothing unless told."""
        values: dict[str, Any] = {
            "id": new_id(),
            "pbx_id": (pbx or self._any_pbx()).id,
            "stored_file_id": None,
            "file_name": "Master.csv",
            "format": "asterisk_cdr_csv",
            "confidence": 100,
            "time_zone": self.organization.time_zone,
            "column_map": None,
            "state": ImportState.DONE,
            "cancel_asked": False,
            **dict.fromkeys(
                ("read_count", "stored_count", "duplicate_count", "skipped_count", "refused_count", "call_count"), 0
            ),
            "bytes_read": 0,
            "work_seconds": 0,
            "error": None,
            "user_account_id": None,
            "created_at": now(),
            "started_at": now(),
            "ended_at": now(),
        }
        stored: ImportFile = self.store(ImportFile(**{**values, **fields}))
        return stored

    def refused_line(self, imported: ImportFile, **fields: Any) -> RejectedLine:
        """A line of the file that could not be read."""
        values: dict[str, Any] = {"line_number": next(self._turn), "reason": "It has no date.", "raw": b"???"}
        stored: RejectedLine = self.store(RejectedLine(import_file_id=imported.id, **{**values, **fields}))
        return stored

    def party(self, digits: str, pbx: Pbx | None = None, name: str = "") -> Party:
        """The number or extension, made when it is not there; it is whose the patterns say."""
        with self.session() as session:
            party = self._party(session, digits, pbx or self._any_pbx(), name)
            session.commit()
        return party

    def destination(self, name: str, kind: DestinationKind = DestinationKind.PERSON, **fields: Any) -> Destination:
        """A destination that nothing is recognised by yet."""
        values: dict[str, Any] = {
            "id": new_id(),
            "colour": 0,
            "note": "",
            "version": 1,
            "created_at": now(),
            "changed_at": now(),
            "changed_by": None,
            "archived_at": None,
            "merged_into_id": None,
        }
        stored: Destination = self.store(Destination(name=name, kind=kind, **{**values, **fields}))
        return stored

    def access_request(self, areas: Area = EVERYTHING, **fields: Any) -> AccessRequest:
        """Staff ask to be let in."""
        values: dict[str, Any] = {
            "id": new_id(),
            "staff_id": None,
            "full_numbers": True,
            "may_download": False,
            "hours": 8,
            "ticket": "T-100",
            "reason": "Two calls are missing",
            "state": RequestState.WAITS,
            "created_at": now(),
            "expires_at": now() + timedelta(days=20),
            "answered_at": None,
            "answered_by": None,
        }
        stored: AccessRequest = self.store(AccessRequest(areas=areas, **{**values, **fields}))
        return stored

    def grant(self, allowed_by: UserAccount, areas: Area = EVERYTHING, **fields: Any) -> AccessGrant:
        """An owner allowed what somebody of staff asked; it has begun and lasts eight hours unless told."""
        asked = self.access_request(areas, state=RequestState.ALLOWED, staff_id=fields.get("staff_id"))
        values: dict[str, Any] = {
            "id": new_id(),
            "request_id": asked.id,
            "staff_id": None,
            "full_numbers": True,
            "may_download": False,
            "starts_at": now() - timedelta(minutes=1),
            "ends_at": now() + timedelta(hours=8),
            "created_at": now(),
            "ended_at": None,
            "ended_by": None,
        }
        stored: AccessGrant = self.store(AccessGrant(areas=areas, allowed_by=allowed_by.id, **{**values, **fields}))
        return stored

    def opening(self, grant: AccessGrant, staff: UserAccount, **fields: Any) -> AccessOpening:
        """Somebody of staff uses the grant, since just now."""
        values: dict[str, Any] = {
            "id": new_id(),
            "web_session_id": 1,
            "opened_at": now() - timedelta(seconds=1),
            "until_at": now() + timedelta(hours=2),
            "ended_at": None,
        }
        stored: AccessOpening = self.store(AccessOpening(grant_id=grant.id, staff_id=staff.id, **{**values, **fields}))
        return stored

    def disclosure(self, **fields: Any) -> Disclosure:
        """Staff entered what an authority orders; nobody agreed yet. `asked_by` is nobody unless told."""
        values: dict[str, Any] = {
            "id": new_id(),
            "legal_basis": "Code of Procedure, section 100, order 7/2026",
            "authority": "Court of Harbourtown",
            "scope": "All calls in July",
            "areas": Area.CALLS,
            "from_at": None,
            "until_at": None,
            "state": DisclosureState.WAITS,
            "asked_by": 1,
            "asked_at": now(),
            "gag": "",
            "gag_until": None,
        }
        stored: Disclosure = self.store(Disclosure(**{**values, **fields}))
        return stored

    def takeout(self, **fields: Any) -> Takeout:
        """One that is ready, with an archive that is none; `asked_by` is nobody unless told."""
        values: dict[str, Any] = {
            "id": new_id(),
            "state": TakeoutState.READY,
            "asked_by": 1,
            "by_staff": False,
            "asked_at": now(),
            "moment_at": now(),
            "ready_at": now(),
            "expires_at": now() + timedelta(days=7),
            **dict.fromkeys(("step", "steps"), 1),
            **dict.fromkeys(("row_count", "byte_count"), 3),
        }
        takeout: Takeout = self.store(Takeout(**{**values, **fields}))
        self.store(TakeoutChunk(takeout_id=takeout.id, position=0, content=b"zip"))
        return takeout

    def lost_factor(self, person: UserAccount, **fields: Any) -> FactorRemoval:
        """The person has lost every second factor, and the organization's owners are asked."""
        values: dict[str, Any] = {
            "id": new_id(),
            "user_account_id": person.id,
            "state": RemovalState.WAITS,
            "started_by": None,
            "reason": "",
            "stop_digest": b"nobody's",
            "created_at": now(),
            "ready_at": None,
            "ended_at": None,
        }
        removal: FactorRemoval = self.store(FactorRemoval(**{**values, **fields}))
        self.store(FactorConsent(removal_id=removal.id, confirmed_by=None, confirmed_at=None))
        return removal

    def holder(self, party: Party, destination: Destination | None, from_at: datetime = EPOCH) -> PartyHolder:
        """Whose the party is from then on."""
        held_by = None if destination is None else destination.id
        stored: PartyHolder = self.store(PartyHolder(party_id=party.id, from_at=from_at, destination_id=held_by))
        return stored

    def number(self, e164: str = "+442079460000", **fields: Any) -> Number:
        """A number of ours, with its party."""
        values: dict[str, Any] = {
            "id": new_id(),
            "party_id": self.party(e164).id,
            "kind": NumberKind.GEOGRAPHIC,
            "region": _region_of(e164),
            "provider": "",
            "label": "",
            "since_at": None,
            "until_at": None,
            "version": 1,
            "created_at": now(),
            "created_by": None,
        }
        stored: Number = self.store(Number(e164=e164, **{**values, **fields}))
        return stored

    def schedule(self, name: str, rule: Hours | Holidays, from_at: datetime = EPOCH) -> Schedule:
        """Opening hours or holidays with one version."""
        kind = ScheduleKind.OPENING_HOURS if isinstance(rule, Hours) else ScheduleKind.HOLIDAYS
        stored: Schedule = self.store(Schedule(id=new_id(), kind=kind, name=name, created_at=from_at))
        self.schedule_version(stored, rule, from_at)
        return stored

    def schedule_version(self, schedule: Schedule, rule: Hours | Holidays, from_at: datetime) -> ScheduleVersion:
        """What it says from then on."""
        values = {"time_zone": rule.time_zone, "content": spell_content(rule), "user_account_id": None}
        stored: ScheduleVersion = self.store(ScheduleVersion(schedule_id=schedule.id, from_at=from_at, **values))
        return stored

    def route_plan(self, number: Number, *lines: RouteLine, at: datetime = EPOCH, **fields: Any) -> RoutePlan:
        """The number's routes from then on."""
        values: dict[str, Any] = {"id": new_id(), "user_account_id": None, "repeats_id": None}
        plan: RoutePlan = self.store(RoutePlan(number_id=number.id, at=at, **{**values, **fields}))
        for position, line in enumerate(lines, 1):
            self.store(Route(route_plan_id=plan.id, position=position, **vars(line)))
        return plan

    def route_lookup(self, number: Number, at: datetime, **fields: Any) -> RouteLookup:
        """That a phone system asked where the number rings."""
        values: dict[str, Any] = {
            "id": new_id(),
            "pbx_id": self._any_pbx().id,
            "route_plan_id": None,
            "destination_id": None,
            "answer": LookupAnswer.NO_PLAN,
            "dialled": number.e164,
            "link_keys": b"",
        }
        stored: RouteLookup = self.store(RouteLookup(number_id=number.id, at=at, **{**values, **fields}))
        return stored

    def contact_import(self, **fields: Any) -> ContactImport:
        """A file of contacts that waits for somebody's yes; its bytes are gone."""
        counts = ("line_count", "added_count", "changed_count", "same_count", "refused_count", "bytes_read")
        values: dict[str, Any] = {
            "id": new_id(),
            "stored_file_id": None,
            "file_name": "contacts.csv",
            "state": ContactState.WAITING,
            **dict.fromkeys(counts, 0),
            "refused": "[]",
            "error": None,
            "user_account_id": None,
            "created_at": now(),
        }
        stored: ContactImport = self.store(ContactImport(**{**values, **fields}))
        return stored

    def membership(self, person: UserAccount, **fields: Any) -> Membership:
        """The person's membership, with these columns changed."""
        with self.session() as session:
            found = session.scalars(select(Membership).where(Membership.user_account_id == person.id)).one()
            for name, value in fields.items():
                setattr(found, name, value)
            session.commit()
        return found

    def narrow(
        self, person: UserAccount, *extensions: str, from_at: datetime = EPOCH, until_at: datetime | None = None
    ) -> list[Party]:
        """Narrow the person to the calls of these extensions, besides those they see already, in these days."""
        self.membership(person, narrowed=True)
        parties = [self.party(digits) for digits in extensions]
        for party in parties:
            key = {"user_account_id": person.id, "party_id": party.id}
            self.store(MembershipParty(**key, from_at=from_at, until_at=until_at))
        return parties

    def narrow_to(
        self, person: UserAccount, *given: Destination, from_at: datetime = EPOCH, until_at: datetime | None = None
    ) -> None:
        """The same to the calls of destinations."""
        self.membership(person, narrowed=True)
        for each in given:
            key = {"user_account_id": person.id, "destination_id": each.id}
            self.store(MembershipDestination(**key, from_at=from_at, until_at=until_at))

    def own_number(self, e164: str, label: str = "") -> Number:
        """One of the organization's numbers."""
        stored: Number = self.store(
            Number(
                id=new_id(),
                e164=e164,
                party_id=self.party(e164).id,
                kind=NumberKind.GEOGRAPHIC,
                region="GB",
                provider="",
                label=label,
                since_at=None,
                until_at=None,
                version=1,
                created_at=now(),
                created_by=None,
            )
        )
        return stored

    def call(
        self,
        *,
        pbx: Pbx | None = None,
        started_at: datetime = NOON,
        direction: Direction = Direction.INBOUND,
        outcome: Outcome = Outcome.ANSWERED,
        caller: str | None = "+442079460123",
        dialed: str | None = None,
        callee: str | None = "201",
        did: str | None = None,
        names: dict[str, str] | None = None,
        ring: int = 8,
        wait: int = 0,
        talk: int | None = None,
        talks: dict[str, int] | None = None,
        **fields: Any,
    ) -> Call:
        """A call with its parties and totals. `names` gives numbers a name; `talks` says who talked for how long, where
        it is not the whole talk for the caller and who answered; `fields` sets further columns of call.
        """
        pbx = pbx or self._any_pbx()
        talk = (60 if outcome == Outcome.ANSWERED else 0) if talk is None else talk
        numbers = {"caller": caller, "dialed": dialed or callee, "callee": callee, "did": did}
        with self.session() as session:
            parties = {
                word: self._party(session, number, pbx, (names or {}).get(number, ""))
                for word, number in numbers.items()
                if number is not None
            }
            values: dict[str, Any] = {
                "started_at": started_at,
                "pbx_id": pbx.id,
                "direction": direction,
                "outcome": outcome,
                "ring_seconds": ring,
                "wait_seconds": wait,
                "talk_seconds": talk,
                "ended_at": started_at + timedelta(seconds=ring + talk),
                **_what_follows(parties, outcome),
            }
            call = Call(**{**values, **fields})
            session.add(call)
            self._add_parties(session, call, parties, talks or {})
            self._add_totals(session, call)
            session.commit()
        return call

    def to_return(self, call: Call, **fields: Any) -> CallToReturn:
        """That the caller of this call, which they made in vain, has not got through since: one try unless told."""
        values: dict[str, Any] = {
            "first_at": call.started_at,
            "last_at": call.started_at,
            "last_call_key": call.call_key,
            "pbx_id": call.pbx_id,
            "did_id": call.did_id,
            "tries": 1,
            "wait_seconds": call.ring_seconds,
            "voicemail": call.outcome == Outcome.VOICEMAIL,
            "assigned_to": None,
            "note": "",
            "done_at": None,
            "done_by": None,
        }
        stored: CallToReturn = self.store(CallToReturn(party_id=call.caller_id, **{**values, **fields}))
        return stored

    def record(self, call: Call, imported: ImportFile | None = None, **fields: Any) -> CallRecord:
        """A record of the call, as a phone system wrote it."""
        turn = next(self._turn)
        values: dict[str, Any] = {
            "record_key": new_id(),
            "id_hash": turn,
            "content_hash": turn,
            "call_key": call.call_key,
            "pbx_id": call.pbx_id,
            "import_file_id": (imported or self.import_file()).id,
            "line_number": turn,
            "version": 1,
            "started_at": call.started_at,
            "answered_at": call.started_at + timedelta(seconds=call.ring_seconds) if call.talk_seconds else None,
            "ended_at": call.ended_at,
            "duration": call.ring_seconds + call.talk_seconds,
            "billsec": call.talk_seconds,
            "kind": 1,
            "result": 1 if call.outcome == Outcome.ANSWERED else 2,
            "direction": call.direction,
            "flags": call.flags,
            "hangup_cause": 16,
            "disposition": "ANSWERED" if call.outcome == Outcome.ANSWERED else "NO ANSWER",
            **dict.fromkeys(("caller", "caller_name", "dialed", "reached", "did", "leg_id", "peer_leg_id", "line"), ""),
            **dict.fromkeys(("peer_line", "context", "application", "queue_name", "account_code"), ""),
            "link_keys": b"",
            "raw": b'"","201","201"',
        }
        stored: CallRecord = self.store(CallRecord(**{**values, **fields}))
        return stored

    def member(self, role: Role = Role.VIEWER, email: str = "", offer: Offer | None = None) -> UserAccount:
        """A person who has joined by an invitation of the operator's, with PASSWORD."""
        offer = offer or whole_offer(role)
        with self.session() as session:
            organization = session.get_one(Organization, self.organization.id)
            invitation = invite(session, self._operator(), email or f"member-{new_id()}@example.com", offer)
            person = accept_as_newcomer(session, Opened(invitation, organization), "Mel Member", PASSWORD)
            session.commit()
        return person

    def invitation(
        self, email: str = "", offer: Offer | None = None, by: UserAccount | None = None, **fields: Any
    ) -> Invitation:
        """An open one, to a viewer unless told. `token_of` has what its link holds."""
        with self.session() as session:
            inviter = self._operator() if by is None else replace(self._operator(), person=by)
            address = email or f"invited-{new_id()}@example.com"
            invitation = invite(session, inviter, address, offer or whole_offer(Role.VIEWER), "Welcome aboard")
            for name, value in fields.items():
                setattr(invitation, name, value)
            session.commit()
        return invitation

    def token_of(self, invitation: Invitation) -> str:
        """What the newest mail of the invitation holds."""
        with self.session() as session:
            cause = f"{cause_of_mail(invitation)}:{invitation.email}"
            message = session.scalars(select(OutboxMessage).where(OutboxMessage.cause == cause)).one()
        assert message.secret is not None
        return unseal(SECRET_KEY, message.secret).decode()

    def _operator(self) -> Inviter:
        return Inviter(self.organization, None, SECRET_KEY)

    def _any_pbx(self) -> Pbx:
        return self._pbx or self.pbx()

    def _party(self, session: LockedSession, digits: str, pbx: Pbx, name: str) -> Party:
        outside = digits.startswith("+")
        identity = digits if outside else f"{pbx.id}:{digits}"
        party = session.scalars(select(Party).where(Party.identity == identity)).one_or_none()
        if party is None:
            party = Party(
                id=new_id(),
                identity=identity,
                kind=PartyKind.OUTSIDE if outside else PartyKind.EXTENSION,
                e164=digits if outside else None,
                digits=digits.lstrip("+"),
                pbx_id=None if outside else pbx.id,
                region=_region_of(digits) if outside else "",
                line_type=LineType.UNKNOWN,
                name=name,
            )
            session.add(party)
            session.flush()
            write_holders_of(session, [party])
        elif name:
            party.name = name
        session.flush()
        return party

    def _add_parties(
        self, session: LockedSession, call: Call, parties: dict[str, Party], talks: dict[str, int]
    ) -> None:
        roles: dict[int, PartyRole] = {}
        told = {party.id: talks.get(party.e164 or party.digits, 0) for party in parties.values() if talks}
        for word, party in parties.items():
            role = _ROLES[word]
            if word == "callee" and call.answered_by_id == party.id:
                role |= PartyRole.ANSWERED
            roles[party.id] = roles.get(party.id, PartyRole(0)) | role
        for party_id, role in roles.items():
            key = {"party_id": party_id, "started_at": call.started_at, "call_key": call.call_key}
            talked = call.talk_seconds if role & TALKED_ALL or party_id == call.answered_by_id else 0
            session.add(CallParty(**key, roles=int(role), talk_seconds=told.get(party_id, talked)))
            total = self._found(session, PartyTotal, party_id=party_id, day=self._day(call))
            total.calls += 1
            total.answered += call.outcome == Outcome.ANSWERED
            total.missed += is_missed(call.direction, call.outcome)
            total.talk_seconds += call.talk_seconds

    def _add_totals(self, session: LockedSession, call: Call) -> None:
        kind = {"pbx_id": call.pbx_id, "direction": call.direction, "outcome": call.outcome}
        slot = to_ms(call.started_at) // 900_000
        for total in (
            self._found(session, CallTotal, slot=slot, **kind),
            self._found(session, CallDay, day=self._day(call), **kind),
            self._found(session, CallMonth, month=month_number(self._day(call)), **kind),
        ):
            total.calls += 1
            total.ring_seconds += call.ring_seconds
            total.wait_seconds += call.wait_seconds
            total.talk_seconds += call.talk_seconds
            total.price += call.price or 0
            total.unpriced += call.price is None

    def _found(self, session: LockedSession, mapped: Any, **key: Any) -> Any:
        """The row of totals with this key, made with zeros when it is not there."""
        row = session.scalars(select(mapped).filter_by(**key)).one_or_none()
        if row is None:
            sums = set(mapped.__table__.columns.keys()) - {"organization_id", *key}
            row = mapped(**key, **dict.fromkeys(sums, 0))
            session.add(row)
            session.flush()
        return row

    def _day(self, call: Call) -> int:
        local = call.started_at.astimezone(ZoneInfo(self.organization.time_zone))
        return (local.date() - date(1970, 1, 1)).days


def _what_follows(parties: dict[str, Party], outcome: Outcome) -> dict[str, Any]:
    """The columns of a call that its parties and its outcome decide, and those that seldom matter."""
    ids = {word: parties[word].id if word in parties else None for word in _ROLES}
    took_part = dict.fromkeys(party.id for party in parties.values())
    return {
        "call_key": new_id(),
        **{f"{word}_id": party_id for word, party_id in ids.items()},
        "caller_reason": CallerReason.KNOWN if "caller" in parties else CallerReason.WITHHELD,
        "answered_by_id": ids["callee"] if outcome == Outcome.ANSWERED else None,
        "party_ids": struct.pack(f">{len(took_part)}q", *took_part),
        "record_count": 1,
        "flags": 0,
        "price": None,
    }


def _region_of(e164: str) -> str:
    return phonenumbers.region_code_for_number(phonenumbers.parse(e164)) or ""
