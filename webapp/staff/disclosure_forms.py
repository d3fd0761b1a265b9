"""The forms of a disclosure, and of its gag. Days are UTC, both included."""

from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from operator import or_
from typing import Any

from wtforms import SelectMultipleField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from webapp.database.staff_rights import NOTHING, Area
from webapp.organizations.disclosure_words import AREA_NAMES
from webapp.refusable_form import RefusableForm
from webapp.staff.action_forms import ReasonForm
from webapp.staff.disclosure_actions import Order
from webapp.typed_fields import DayField

_WORDS_AT_MOST = 2000
_DAY = timedelta(days=1)


def _words(sentence: str) -> list[Any]:
    too_long = Length(max=_WORDS_AT_MOST, message=f"It has at most {_WORDS_AT_MOST:,} characters.")
    return [DataRequired(sentence), too_long]


def _strip(text: str | None) -> str | None:
    return text.strip() if text else text


class DisclosureForm(RefusableForm):
    organization = StringField(
        "Organization", [DataRequired("Give its name in addresses."), Length(max=40)], filters=[_strip]
    )
    legal_basis = StringField("Legal basis", _words("Give the law, and the order's number."), filters=[_strip])
    authority = StringField("Authority", _words("Say who asks."), filters=[_strip])
    scope = TextAreaField("Scope, in words", _words("Write what exactly is asked for."), filters=[_strip])
    areas = SelectMultipleField(
        "What is handed out", coerce=int, widget=ListWidget(prefix_label=False), option_widget=CheckboxInput()
    )
    first = DayField("Calls from", [Optional()])
    last = DayField("Calls to, included", [Optional()])
    gag = StringField(
        "By whose order the organization may not be told yet",
        [Optional(), Length(max=_WORDS_AT_MOST, message=f"It has at most {_WORDS_AT_MOST:,} characters.")],
        filters=[_strip],
    )
    gag_until = DayField("Not before", [Optional()])

    def __init__(self) -> None:
        super().__init__()
        self.areas.choices = [(int(area), _capital(name)) for area, name in AREA_NAMES.items()]

    def validate_first(self, field: DayField) -> None:
        _check_year(field.data)

    validate_last = validate_gag_until = validate_first

    def order(self) -> Order:
        """Of a valid form."""
        return Order(
            legal_basis=self.legal_basis.data or "",
            authority=self.authority.data or "",
            scope=self.scope.data or "",
            areas=reduce(or_, (Area(each) for each in self.areas.data or ()), NOTHING),
            from_at=_midnight(self.first.data),
            until_at=_midnight(self.last.data + _DAY) if self.last.data else None,
            gag=self.gag.data or "",
            gag_until=_midnight(self.gag_until.data),
        )


class GagForm(ReasonForm):
    order = StringField("The order that lengthens it", _words("Give authority, law and number."), filters=[_strip])
    gag_until = DayField("Not before", [DataRequired("Say until when: the organization is told then.")])

    def validate_gag_until(self, field: DayField) -> None:
        _check_year(field.data)

    @property
    def until(self) -> datetime:
        """Of a valid form."""
        until = _midnight(self.gag_until.data)
        assert until is not None
        return until


def _check_year(day: date | None) -> None:
    if day is not None and not 1990 <= day.year < 2200:
        raise ValidationError("Give a day after 1989 and before 2200.")


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time.min, UTC)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
