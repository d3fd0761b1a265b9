"""Whose calls somebody may be given: people, teams and services inside, own numbers and extensions, and their names.

Called by extensions.py for the lines of a form, for sentences, and for what a form offers. Own numbers go by their
labels; one without a label shows with dots unless the reader sees numbers in full, since mails and the audit have these
words too.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import func, select

from webapp.clock import now
from webapp.database.staff_rights import Area
from webapp.destinations.masking import mask_number
from webapp.destinations.models import Destination, DestinationKind, Party, PartyHolder, PartyKind
from webapp.destinations.opened import OPENED_KINDS
from webapp.destinations.patterns import read_e164
from webapp.destinations.route_models import Number
from webapp.errors import Refused
from webapp.formatting import format_number
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization
from webapp.tenancy.narrowing import DestinationDays, PartyDays, Span, id_of

FIELD = "extensions"
_OFFERED_AT_MOST = 300
_DIGITS = frozenset("0123456789*#")
_IN_A_NUMBER = frozenset("0123456789+()-./ \u00a0")

#: A party or a destination without days: Thing[0].between(Thing[1], since, until) is a span of it.
Thing = tuple[type[PartyDays] | type[DestinationDays], int]


class Subject(NamedTuple):
    """Something with a name that can be given. `mark` tells it from another of the same name."""

    thing: Thing
    name: str
    mark: str

    @property
    def id(self) -> int:
        return self.thing[1]


class Offered(NamedTuple):
    """What a form offers: each as the line that names it, and what it is where that is not plain, or ""."""

    named: Sequence[tuple[str, str]]
    numbers: Sequence[tuple[str, str]]
    extensions: Sequence[tuple[str, str]]


def key_of(text: str) -> str:
    """Names are the same in capitals and small letters, however many spaces are between the words."""
    return " ".join(text.split()).casefold()


def is_extension(text: str) -> bool:
    """Whether it is written in digits alone, as extensions are and no name is."""
    return bool(text) and _DIGITS.issuperset(text)


def thing_of(span: Span) -> Thing:
    return type(span), id_of(span)


def names_of(session: LockedSession, spans: Iterable[Span], *, masked: bool = True) -> dict[int, str]:
    """How lines and sentences spell parties and destinations, by id, as far as the reader may see them.

    Support that is let in to see people alone learns the names of destinations, and no number.
    """
    things = {thing_of(span) for span in spans}
    party_ids = {id_ for of, id_ in things if of is PartyDays}
    names: dict[int, str] = {}
    subjects: list[Subject] = []
    if party_ids and session.opens(Area.CALLS | Area.DESTINATIONS):
        parties = session.scalars(select(Party).where(Party.id.in_(party_ids)))
        names = {party.id: _write(party.e164, masked) if party.e164 else party.digits for party in parties}
        numbers = session.scalars(select(Number).where(Number.party_id.in_(names.keys())))
        subjects += (_of_number(number, masked) for number in numbers)
    if len(party_ids) < len(things):
        ids = [id_ for of, id_ in things if of is DestinationDays]
        subjects += map(_of_destination, session.scalars(select(Destination).where(Destination.id.in_(ids))))
    spelt = _spell(session, {*subjects, *_namesakes(session, subjects, masked)}) if subjects else {}
    return names | {subject.id: spelt[subject] for subject in subjects}


def find_subjects(session: LockedSession, written: dict[str, str]) -> dict[str, list[Thing]]:
    """What each text stands for, by its key_of(). An extension may stand for several parties, one a phone system.

    Raises Refused for what is unknown, cannot be given, or has a namesake.
    """
    found: dict[str, list[Thing]] = {}
    digits = [text for text in written.values() if is_extension(text)]
    if digits:
        extensions = select(Party).where(Party.kind == PartyKind.EXTENSION, Party.digits.in_(digits))
        for party in session.scalars(extensions.order_by(Party.id)):
            found.setdefault(party.digits, []).append((PartyDays, party.id))
    unknown = written.keys() - found.keys()
    found |= _find_numbers(session, {key: written[key] for key in unknown})
    named = {key: text for key, text in written.items() if key not in found and not is_extension(text)}
    if named:
        found |= _find_named(session, named)
    missing = sorted(text for key, text in written.items() if key not in found)
    if missing:
        raise Refused(
            f"No phone system here has had a call of extension {', '.join(missing)}. Check the digits; an extension is "
            "known once it took part in a call that was imported.",
            FIELD,
        )
    return found


def is_name(session: LockedSession, text: str) -> bool:
    """Whether anything that could be given is named so."""
    return any(key_of(subject.name) == key_of(text) for subject in list_subjects(session))


def _find_numbers(session: LockedSession, written: dict[str, str]) -> dict[str, list[Thing]]:
    """Own numbers by their digits, in any spelling."""
    region = select(Organization.region).where(Organization.id == session.organization_id)
    like_numbers = {key: text for key, text in written.items() if _IN_A_NUMBER.issuperset(text)}
    if not like_numbers:
        return {}
    home = session.scalars(region).one()
    e164s = {key: read_e164(text, home) for key, text in like_numbers.items()}
    ids = {number.e164: number.party_id for number in _own_numbers(session) if number.e164 in e164s.values()}
    return {key: [(PartyDays, ids[e164])] for key, e164 in e164s.items() if e164 in ids}


def _find_named(session: LockedSession, written: dict[str, str]) -> dict[str, list[Thing]]:
    by_key: dict[str, dict[Thing, str]] = {}
    for masked in (True, False):
        for subject, spelling in _spell(session, list_subjects(session, masked=masked)).items():
            for key in (key_of(subject.name), key_of(spelling)):
                by_key.setdefault(key, {}).setdefault(subject.thing, spelling)
    for key, text in written.items():
        if key not in by_key:
            raise _unknown(session, text)
        if len(by_key[key]) > 1:
            raise _ambiguous(text, sorted(by_key[key].values()))
    return {key: list(by_key[key]) for key in written}


def _unknown(session: LockedSession, text: str) -> Refused:
    """Says why, where it is the name of something else."""
    if session.narrowing is None:
        for other in session.scalars(select(Destination).where(func.lower(Destination.name) == text.lower())):
            if other.kind.is_outside:
                return Refused(
                    f"{other.name} is outside the company. Name people, teams, services, your own numbers or "
                    "extensions.",
                    FIELD,
                )
            return Refused(f"{other.name} is archived. Bring it back under Destinations first, or name another.", FIELD)
    if _IN_A_NUMBER.issuperset(text):
        return Refused(
            f"“{text[:60]}” is none of your own numbers. Only these can be named here: add it to them under "
            "Destinations, or name the person whose it is.",
            FIELD,
        )
    return Refused(
        f"“{text[:60]}” cannot be read: nothing here has that name. Write one a line: a person, a team, one of your "
        "numbers or an extension, such as 204, 204 from 2026-05-03 or 204 until 2026-05-03.",
        FIELD,
    )


def _ambiguous(text: str, spellings: Sequence[str]) -> Refused:
    if len(set(map(key_of, spellings))) < len(spellings):
        return Refused(
            f"{len(spellings)} are named {text[:60]}, and nothing tells them apart. Give one of them another name "
            "under Destinations first.",
            FIELD,
        )
    return Refused(f"{len(spellings)} are named {text[:60]}. Write {' or '.join(spellings)}.", FIELD)


def list_subjects(session: LockedSession, *, masked: bool = True) -> list[Subject]:
    """All with a name that the reader may give, by name. Of a narrowed one what they were given."""
    inside = select(Destination).where(Destination.kind.in_(OPENED_KINDS), Destination.archived_at.is_(None))
    if session.narrowing is not None:
        inside = inside.where(Destination.id.in_(session.narrowing.destination_ids))
    found = [_of_destination(each) for each in session.scalars(inside)]
    found += (_of_number(each, masked) for each in _own_numbers(session))
    return sorted(found, key=lambda subject: (key_of(subject.name), subject.id))


def list_offered(session: LockedSession, *, masked: bool) -> Offered:
    """What the reader may give, as lines spell it."""
    subjects = list_subjects(session, masked=masked)[:_OFFERED_AT_MOST]
    spelt = _spell(session, subjects)
    inside = [each for each in subjects if each.thing[0] is DestinationDays]
    numbers = [each for each in subjects if each.thing[0] is PartyDays]
    person = DestinationKind.PERSON.name.lower()
    return Offered(
        [(spelt[each], "" if each.mark == person else each.mark) for each in inside],
        [(spelt[each], "" if each.mark in spelt[each] else each.mark) for each in numbers],
        _list_extensions(session),
    )


def _list_extensions(session: LockedSession) -> list[tuple[str, str]]:
    """The extensions that are known, each once, with the name of whoever has it now."""
    known = select(Party).where(Party.kind == PartyKind.EXTENSION)
    if session.narrowing is not None:
        known = known.where(Party.id.in_(_given_parties(session)))
    parties = session.scalars(known.order_by(Party.digits, Party.id).limit(_OFFERED_AT_MOST)).all()
    holders = _holders_now(session, [party.id for party in parties])
    found: dict[str, str] = {}
    for party in parties:
        found[party.digits] = found.get(party.digits) or holders.get(party.id, party.name)
    return sorted(found.items(), key=lambda pair: (len(pair[0]), pair[0]))


def _holders_now(session: LockedSession, party_ids: Sequence[int]) -> dict[int, str]:
    """The names of whoever has these parties; "" for nobody any more."""
    rows = session.execute(
        select(PartyHolder.party_id, Destination.name)
        .outerjoin(
            Destination,
            (Destination.organization_id == PartyHolder.organization_id)
            & (Destination.id == PartyHolder.destination_id),
        )
        .where(PartyHolder.party_id.in_(party_ids), PartyHolder.from_at <= now())
        .order_by(PartyHolder.from_at)
    )
    return {party_id: name or "" for party_id, name in rows}


def _own_numbers(session: LockedSession) -> Iterable[Number]:
    wanted = select(Number)
    if session.narrowing is not None:
        wanted = wanted.where(Number.party_id.in_(_given_parties(session)))
    return session.scalars(wanted)


def _given_parties(session: LockedSession) -> set[int]:
    """Of a narrowed reader."""
    assert session.narrowing is not None
    return {span.party_id for span in session.narrowing.spans if isinstance(span, PartyDays)}


def _of_destination(destination: Destination) -> Subject:
    return Subject((DestinationDays, destination.id), destination.name, destination.kind.name.lower())


def _of_number(number: Number, masked: bool) -> Subject:
    written = _write(number.e164, masked)
    return Subject((PartyDays, number.party_id), number.label or written, written)


def _write(e164: str, masked: bool) -> str:
    number = format_number(e164, "")
    return mask_number(number) if masked else number


def _namesakes(session: LockedSession, subjects: Iterable[Subject], masked: bool) -> list[Subject]:
    """Those that could be given by the same names."""
    names = {subject.name.lower() for subject in subjects}
    inside = select(Destination).where(
        func.lower(Destination.name).in_(names),
        Destination.kind.in_(OPENED_KINDS),
        Destination.archived_at.is_(None),
    )
    if not session.opens(Area.CALLS | Area.DESTINATIONS):
        return list(map(_of_destination, session.scalars(inside)))
    numbers = select(Number).where(func.lower(Number.label).in_(names))
    own = (_of_number(each, masked) for each in session.scalars(numbers))
    return [*map(_of_destination, session.scalars(inside)), *own]


def _spell(session: LockedSession, subjects: Iterable[Subject]) -> dict[Subject, str]:
    """The name, and where that is not enough what tells one apart: "Ann Archer (204)", "Sales (team)"."""
    groups: dict[str, list[Subject]] = {}
    for subject in subjects:
        groups.setdefault(key_of(subject.name), []).append(subject)
    alike = [subject for group in groups.values() for subject in group if len(group) > 1 or is_extension(subject.name)]
    spelt = {subject: subject.name for group in groups.values() for subject in group}
    marks = _extensions_held(session, [subject.id for subject in alike if subject.thing[0] is DestinationDays])
    for subject in alike:
        spelt[subject] = f"{subject.name} ({marks.get(subject.id, subject.mark)})"
    return spelt


def _extensions_held(session: LockedSession, ids: Sequence[int]) -> dict[int, str]:
    """The shortest extension that each of these destinations has or had, where there is one."""
    if not ids or not session.opens(Area.CALLS | Area.DESTINATIONS):
        return {}
    held = (
        select(PartyHolder.destination_id, Party.digits)
        .join(Party, (Party.organization_id == PartyHolder.organization_id) & (Party.id == PartyHolder.party_id))
        .where(PartyHolder.destination_id.in_(ids), Party.kind == PartyKind.EXTENSION)
    )
    rows = sorted(session.execute(held).all(), key=lambda row: (len(row.digits), row.digits), reverse=True)
    return {row.destination_id: row.digits for row in rows}
