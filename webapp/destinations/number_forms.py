"""The forms of own numbers."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms import HiddenField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional, ValidationError

from webapp.destinations.number_actions import KIND_WORDS, LONGEST_TEXT, NumberDetails, read_typed
from webapp.destinations.number_facts import NumberFacts, calling_code
from webapp.destinations.route_models import NumberKind
from webapp.errors import Refused
from webapp.names import clean_name
from webapp.places import country_choices, to_choices, with_choice
from webapp.typed_fields import DayField

_KINDS = [(str(int(kind)), words.capitalize()) for kind, words in KIND_WORDS.items()]
_GUESS = ("", "As the number says")
_TOO_LONG = Length(max=LONGEST_TEXT, message=f"At most {LONGEST_TEXT} characters fit.")
_LONGEST_NUMBER = 40
_FIRST_YEAR, _LAST_YEAR = 1950, 2199


def _check_day(_form: FlaskForm, field: DayField) -> None:
    if field.data is not None and not _FIRST_YEAR <= field.data.year <= _LAST_YEAR:
        raise ValidationError(f"Give a day between {_FIRST_YEAR} and {_LAST_YEAR}.")


class NumberForm(FlaskForm):  # type: ignore[misc]
    """Changes a number that is listed. `version`: of the row when the form was opened."""

    region = SelectField("Country")
    kind = SelectField("Kind")
    label = StringField("What it is for", [_TOO_LONG])
    provider = StringField("Provider", [_TOO_LONG])
    since_on = DayField("Ours since", [Optional(), _check_day])
    until_on = DayField("Last day", [Optional(), _check_day])
    version = HiddenField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.region.choices = with_choice(country_choices(), self.region.object_data)
        self.kind.choices = to_choices(_KINDS)

    @property
    def started_with(self) -> int:
        """The version; 0, which no row has, for what is none."""
        text = self.version.data or ""
        return int(text) if text.isdecimal() else 0

    def details(self) -> NumberDetails:
        """Of a valid form."""
        return self._details(self.region.data, NumberKind(int(self.kind.data)))

    def _details(self, region: str, kind: NumberKind) -> NumberDetails:
        provider, label = (clean_name(field.data or "") for field in (self.provider, self.label))
        return NumberDetails(region, kind, provider, label, self.since_on.data, self.until_on.data)


class NewNumberForm(NumberForm):
    """Lists a number. The country is where it is dialled; what it is follows from it."""

    number = StringField(
        "Number",
        [
            InputRequired("Type the number."),
            Length(max=_LONGEST_NUMBER, message=f"A number has at most {_LONGEST_NUMBER} characters."),
        ],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind.choices = to_choices([_GUESS, *_KINDS])

    def validate_number(self, field: StringField) -> None:
        if field.errors:
            return
        try:
            read_typed(field.data or "", self.region.data)
        except Refused as refusal:
            raise ValidationError(refusal.sentence) from None

    def details_with(self, facts: NumberFacts) -> NumberDetails:
        """The chosen country where the number can be of it, else the one that the number says; the kind alike."""
        same = calling_code(self.region.data) == calling_code(facts.region)
        region = self.region.data if same or not facts.region else facts.region
        kind = NumberKind(int(self.kind.data)) if self.kind.data else facts.number_kind
        return self._details(region, kind)
