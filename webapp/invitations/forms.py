"""The forms of inviting, of changing what somebody may see, and of coming in."""

from datetime import datetime
from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, ValidationError

from webapp.accounts.passwords import LONGEST
from webapp.clock import now
from webapp.errors import Refused
from webapp.invitations.actions import WORDS_AT_MOST
from webapp.invitations.extensions import Read, read_extensions, spell_extensions, spelt_from
from webapp.invitations.joining import NAME_AT_MOST
from webapp.invitations.subjects import names_of
from webapp.invitations.words import ROLES, end_of_day, last_day
from webapp.organizations.offers import Offer
from webapp.places import to_choices
from webapp.refusable_form import RefusableForm
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Numbers, Role
from webapp.typed_fields import DayField

NUMBERS_LABELS = {
    Numbers.FULL: "In full",
    Numbers.MASKED: "Without the last four digits",
    Numbers.SHOWN_ONE_BY_ONE: "Without the last four digits, with “Show” for one at a time",
}


class OfferForm(RefusableForm):
    """What somebody may do and see, filled with what is `shown`. Nothing else that is posted counts."""

    shown_is_held = True  #: by the person or the invitation that is changed

    role = SelectField("Role")
    numbers = SelectField("Outside numbers")
    may_export = BooleanField("May export what they see")
    extensions = TextAreaField("Only the calls of", [Optional(), Length(max=10_000, message="That is too long.")])
    ends_on = DayField("Last day", [Optional()])

    def __init__(self, session: LockedSession, time_zone: str, *, limit: Offer, shown: Offer) -> None:
        """`limit` is what may be given at most."""
        self._shown, self._masked = shown, limit.numbers != Numbers.FULL
        super().__init__(data=spell_offer(session, shown, time_zone, masked=self._masked))
        self.role.choices = to_choices(
            [(role.word, f"{role.word.capitalize()}: {ROLES[role]}") for role in Role if role <= limit.role]
        )
        self.numbers.choices = to_choices([(each.name.lower(), NUMBERS_LABELS[each]) for each in Numbers])

    def validate_ends_on(self, field: DayField) -> None:
        if field.data is not None and not now().year - 1 < field.data.year < 2200:
            raise ValidationError("Give a day to come.")

    def read_offer(self, session: LockedSession, time_zone: str) -> tuple[Offer, Read]:
        """What a valid form says. Raises Refused with the field that is wrong."""
        spelt = spelt_from(self._shown, held=self.shown_is_held, masked=self._masked)
        read = read_extensions(session, self.extensions.data or "", time_zone, spelt)
        ends_at = self._read_end(time_zone)
        if ends_at is not None and ends_at <= now():
            raise Refused("This day is over. Give a day to come.", "ends_on")
        offer = Offer(
            Role[self.role.data.upper()],
            Numbers[self.numbers.data.upper()],
            bool(self.may_export.data),
            read.narrowed,
            read.spans,
            ends_at,
        )
        return offer, read

    def _read_end(self, time_zone: str) -> datetime | None:
        """A day that stays as it was shown is the same moment as before, though the zone may have changed."""
        day, shown = self.ends_on.data, self._shown.ends_at
        if day is None:
            return None
        if self.shown_is_held and shown is not None and day == last_day(shown, time_zone):
            return shown
        return end_of_day(day, time_zone)


class InviteForm(OfferForm):
    shown_is_held = False
    emails = TextAreaField(
        "E-mail addresses",
        [InputRequired("Give at least one e-mail address."), Length(max=10_000, message="That is too long.")],
    )
    words = TextAreaField(
        "A line of yours in the mail",
        [Optional(), Length(max=WORDS_AT_MOST, message=f"It has at most {WORDS_AT_MOST} characters.")],
    )


class SureForm(FlaskForm):  # type: ignore[misc]
    """For what cannot be taken back: the page before asks, and its button says yes."""

    sure = BooleanField("Yes, I am sure", [InputRequired("Tick that you are sure.")])


class AcceptForm(FlaskForm):  # type: ignore[misc]
    """What somebody new chooses on their way in."""

    name = StringField(
        "Your name",
        [
            InputRequired("Give your name, as your colleagues know it."),
            Length(max=NAME_AT_MOST, message=f"It has at most {NAME_AT_MOST} characters."),
        ],
    )
    password = PasswordField(
        "Choose a password",
        [InputRequired("Choose a password."), Length(max=LONGEST, message=f"It has at most {LONGEST} characters.")],
    )


def spell_offer(session: LockedSession, offer: Offer, time_zone: str, *, masked: bool) -> dict[str, Any]:
    """The values of the fields that say this offer."""
    return {
        "role": offer.role.word,
        "numbers": offer.numbers.name.lower(),
        "may_export": offer.may_export,
        "extensions": spell_extensions(offer.spans, names_of(session, offer.spans, masked=masked), time_zone),
        "ends_on": None if offer.ends_at is None else last_day(offer.ends_at, time_zone),
    }
