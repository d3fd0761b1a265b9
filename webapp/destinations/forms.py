"""The forms of destinations. What they say is checked again by actions.py and turns.py, which know the rules."""

import hashlib
from collections.abc import Sequence
from typing import Any

from flask_wtf.file import FileField
from wtforms import (
    HiddenField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.form import BaseForm
from wtforms.validators import DataRequired, InputRequired, Length, Optional, ValidationError
from wtforms.widgets import CheckboxInput, HiddenInput, ListWidget

from webapp.database.ids import read_id, spell_id
from webapp.destinations.actions import LONGEST_NAME, LONGEST_NOTE, Described
from webapp.destinations.kind_words import COLOUR_NAMES, KIND_LABELS, KIND_NAMES
from webapp.destinations.listing import OFFERED_AT_MOST, Named
from webapp.destinations.matching import Pattern
from webapp.destinations.models import DestinationKind
from webapp.names import clean_name
from webapp.places import to_choices
from webapp.refusable_form import RefusableForm
from webapp.typed_fields import DayField, HourField

FIRST_YEAR, LAST_YEAR = 1970, 2199  #: of a hand-over, and of a number that is tested
ODD_YEAR = f"Give a day between {FIRST_YEAR} and {LAST_YEAR}."

_FIRST_PEOPLE = f"The first {OFFERED_AT_MOST} by name, and who is of it already."
_NAME = Length(max=LONGEST_NAME, message=f"It has at most {LONGEST_NAME} characters.")


class AskingForm(RefusableForm):
    question = ""  #: what is asked before it is stored, "" for nothing

    def must_ask(self, question: str) -> bool:
        """Whether to ask this first. Once it was asked, `sure` comes back with the mark of that very question."""
        mark = hashlib.sha256(question.encode()).hexdigest()[:16] if question else ""
        asked, self.sure.data = self.sure.data, mark
        self.question = question if asked != mark else ""
        return bool(self.question)


class PeopleField(SelectMultipleField):
    """Boxes to tick, one a person."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()

    def pre_validate(self, form: BaseForm) -> None:
        if set(self.data or ()) - {choice[0] for choice in self.iter_choices()}:
            raise ValidationError("Somebody whom you chose is not offered any more. Look the people through again.")


class DestinationForm(AskingForm):
    """Adds or changes a destination. `sure`: what its sender was told would change, if it was much."""

    name = StringField("Name", [DataRequired("Give it a name."), _NAME])
    kind = SelectField("Kind", choices=to_choices([(kind.name.lower(), KIND_LABELS[kind]) for kind in DestinationKind]))
    patterns = TextAreaField(
        "Numbers and extensions", [Optional(), Length(max=200_000, message="That is too long. Write fewer lines.")]
    )
    members = PeopleField("People of the team")
    others = TextAreaField("Further people", [Optional(), Length(max=20_000, message="Write fewer names at once.")])
    colour = RadioField("Colour", choices=to_choices([(str(place), name) for place, name in enumerate(COLOUR_NAMES)]))
    note = TextAreaField(
        "Note", [Optional(), Length(max=LONGEST_NOTE, message=f"Use at most {LONGEST_NOTE:,} characters.")]
    )
    version = IntegerField(widget=HiddenInput(), validators=[Optional()])
    sure = HiddenField()

    def __init__(self, people: Sequence[Named], shown: dict[str, Any], **more: Any) -> None:
        """`people` can be of a team; `shown` is what the fields say at first."""
        super().__init__(data={"colour": "0", "kind": "person", **shown}, **more)
        self.members.choices = to_choices([(spell_id(each.id), each.name) for each in people])
        self.members_hint = "" if len(people) < OFFERED_AT_MOST else _FIRST_PEOPLE
        if not self.members_hint:
            del self.others

    @property
    def further_names(self) -> list[str]:
        """Of people who are not offered as boxes, and are to be of the team too."""
        typed = (self.others.data or "").splitlines() if "others" in self and self.kind.data == "team" else []
        return [name for line in typed if (name := clean_name(line))]

    def read(self, patterns: Sequence[Pattern], further: frozenset[int], note: str = "") -> Described:
        """What a valid form says, with the patterns that its lines were read as, and the ids of `further_names`.

        `note`: if it has no field for it.
        """
        return Described(
            kind=KIND_NAMES[self.kind.data],
            name=self.name.data or "",
            patterns=tuple(patterns),
            colour=int(self.colour.data),
            note=(self.note.data or "").replace("\r\n", "\n") if "note" in self else note,
            members=frozenset(read_id(each) for each in self.members.data or ()) | further,
        )


class HandOverForm(AskingForm):
    """Which pattern, by its place in the list; to whom, by name."""

    pattern = SelectField("What is handed over", validate_choice=False)
    to = StringField("To whom", [Optional(), _NAME])
    from_on = DayField("From this day on", [InputRequired("Give the first day on which it is theirs.")])
    sure = HiddenField()

    def validate_pattern(self, field: SelectField) -> None:
        if field.data not in [choice[0] for choice in field.iter_choices()]:
            raise ValidationError("Somebody else has it by now. Choose another one.")


class MergeForm(AskingForm):
    into = StringField("Merge it into", [DataRequired("Give the name of the one that stays."), _NAME])
    sure = HiddenField()


class TestForm(AskingForm):
    """A number, and as of when: of a day without a time all of it, without both now."""

    __test__ = False  # pytest: no test

    number = StringField(
        "Number or extension",
        [DataRequired("Type a number or an extension."), Length(max=60, message="That is too long for a number.")],
    )
    on = DayField("On the day", [Optional()])
    at = HourField("At", [Optional()])


class NameForm(AskingForm):
    """Gives a number or extension its name."""

    name = StringField("Name", [DataRequired("Give it a name."), _NAME])
    kind = SelectField("Kind", choices=to_choices([(kind.name.lower(), KIND_LABELS[kind]) for kind in DestinationKind]))


class ContactsForm(AskingForm):
    """A file of contacts, or its lines."""

    file = FileField("File of contacts")
    lines = TextAreaField("Or paste the lines here", [Optional()])
