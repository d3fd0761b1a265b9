"""The forms in which support asks (staff/), and owners answer it or invite it.

Nothing but these fields counts, whatever else is posted; what they say together is checked by tenancy/consent.py.
"""

from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Any
from zoneinfo import ZoneInfo

from wtforms import (
    BooleanField,
    IntegerField,
    RadioField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional, ValidationError
from wtforms.widgets import CheckboxInput

from webapp.database.staff_rights import EVERYTHING, NOTHING, Area
from webapp.organizations.support import REASON_AT_MOST
from webapp.places import to_choices
from webapp.refusable_form import RefusableForm
from webapp.tenancy.consent import AREA_LABELS, LONGEST_HOURS, Terms
from webapp.typed_fields import MomentField

REASON_AT_LEAST = 10
TICKET_AT_MOST = 40
_MASKED, _FULL = "masked", "full"
NUMBERS_LABELS = {_MASKED: "Without the last four digits", _FULL: "In full"}


def _tidy(text: str | None) -> str:
    return (text or "").strip()


class TermsForm(RefusableForm):
    """What is to be seen, and how long. `limit`: what was asked for at most, where somebody answers."""

    areas = SelectMultipleField("What", option_widget=CheckboxInput())
    numbers = RadioField("Numbers of callers and called people outside the company")
    may_download = BooleanField("May download files")
    hours = IntegerField(
        "Hours",
        [
            InputRequired("Give a number of hours."),
            NumberRange(1, LONGEST_HOURS, f"Give a number of hours from 1 to {LONGEST_HOURS}."),
        ],
    )

    def __init__(self, limit: Terms | None = None, shown: Terms | None = None) -> None:
        self.limit = limit or Terms(EVERYTHING, full_numbers=True, may_download=True, hours=LONGEST_HOURS)
        super().__init__(data=_spell(shown) if shown else None)
        self.areas.choices = to_choices(
            [(str(int(area)), _capital(label)) for area, label in AREA_LABELS.items() if area & self.limit.areas]
        )
        numbers = [_MASKED, _FULL] if self.limit.full_numbers else [_MASKED]
        self.numbers.choices = to_choices([(name, NUMBERS_LABELS[name]) for name in numbers])

    def validate_areas(self, field: SelectMultipleField) -> None:
        if not field.data:
            raise ValidationError("Choose at least one thing to see.")

    def terms(self) -> Terms:
        """Of a valid form."""
        areas = reduce(or_, (Area(int(value)) for value in self.areas.data or []), NOTHING)
        return Terms(areas, self.numbers.data == _FULL, bool(self.may_download.data), self.hours.data or 0)


class AnswerForm(TermsForm):
    """Filled with what was asked; the owner takes away."""

    starts = MomentField("The hours start", [Optional()])

    def start(self, zone: ZoneInfo) -> datetime | None:
        """None: now. The organization's time is typed."""
        if self.starts.data is None:
            return None
        typed: datetime = self.starts.data
        return typed.replace(tzinfo=zone).astimezone(UTC)


class InviteHelpForm(AnswerForm):
    reason = TextAreaField(
        "What is it about",
        [
            DataRequired("Say what support should look at."),
            Length(max=REASON_AT_MOST, message=f"It has at most {REASON_AT_MOST} characters."),
        ],
        [_tidy],
    )


class AskForm(TermsForm):
    """Of staff. The customer reads the words."""

    ticket = StringField(
        "Ticket", [Length(max=TICKET_AT_MOST, message=f"It has at most {TICKET_AT_MOST} characters.")], [_tidy]
    )
    reason = TextAreaField(
        "Why",
        [
            DataRequired("Say why, so that the owner can decide."),
            Length(max=REASON_AT_MOST, message=f"It has at most {REASON_AT_MOST} characters."),
        ],
        [_tidy],
    )

    def validate_reason(self, field: TextAreaField) -> None:
        if len(field.data or "") < REASON_AT_LEAST:
            raise ValidationError(f"Say why in at least {REASON_AT_LEAST} characters: the owner decides by it.")


def _spell(terms: Terms) -> dict[str, Any]:
    return {
        "areas": [str(int(area)) for area in AREA_LABELS if area & terms.areas],
        "numbers": _FULL if terms.full_numbers else _MASKED,
        "may_download": terms.may_download,
        "hours": terms.hours,
    }


def _capital(label: str) -> str:
    return label[0].upper() + label[1:]
