"""The forms of phone systems and imports."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, FieldList, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length, Regexp, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from webapp.ingest.readers import READERS
from webapp.ingest.readers.column_words import describe_fields
from webapp.ingest.records import ColumnMap
from webapp.places import country_choices, time_zone_choices, to_choices, with_choice
from webapp.sources.actions import LONGEST_NAME, Answers

DELIMITERS = {",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Vertical bar"}
DATE_ORDERS = {
    "ymd": "Year first: 2026-11-22",
    "dmy": "Day first: 22/11/2026",
    "mdy": "Month first: 11/22/2026",
}
NOT_USED = ""
HIDDEN_LINE = "hidden:"  #: begins the value of a line whose name is not shown whole


class LineChoice(NamedTuple):
    """A line or context to be ticked. The form sends `value`; `words` tell of it as the reader may see."""

    name: str
    value: str
    words: str


def format_choices() -> list[tuple[str, str]]:
    return [(reader.name, reader.title) for reader in READERS.values()]


class NameForm(FlaskForm):  # type: ignore[misc]
    """Renames a phone system."""

    name = StringField(
        "Name",
        [InputRequired("Give the phone system a name."), Length(max=LONGEST_NAME, message="This name is too long.")],
        filters=[lambda text: text.strip() if text else text],
    )


class PhoneSystemForm(NameForm):
    """Adds a phone system."""

    reader_name = SelectField("Records come as")
    time_zone = SelectField("Its clock shows the time of")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reader_name.choices = to_choices([("", "Not sure: Callbook tells from the first file"), *format_choices()])
        self.time_zone.choices = with_choice(time_zone_choices(), self.time_zone.object_data)


class RotateForm(FlaskForm):  # type: ignore[misc]
    """Replaces a token."""

    overlap = SelectField(
        "The old one works",
        choices=to_choices(
            [
                ("day", "for another 24 hours"),
                ("hour", "for another hour"),
                ("week", "for another 7 days"),
                ("none", "no longer"),
            ]
        ),
    )


class UploadForm(FlaskForm):  # type: ignore[misc]
    file = FileField("File of call records", [FileRequired("Choose a file first.")])


class ReadAsForm(FlaskForm):  # type: ignore[misc]
    """In which format and zone an uploaded file is read."""

    reader_name = SelectField("Format")
    time_zone = SelectField("Times in the file are of")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = self.reader_name.object_data in READERS
        unknown = [] if known else [("", "Choose the format")]
        self.reader_name.choices = to_choices([*unknown, *format_choices()])
        self.time_zone.choices = with_choice(time_zone_choices(), self.time_zone.object_data)


class ColumnsForm(FlaskForm):  # type: ignore[misc]
    """What each column of a generic CSV holds."""

    delimiter = SelectField("Between two columns stands a", choices=to_choices(DELIMITERS.items()))
    has_header = BooleanField("The first row names the columns")
    date_order = SelectField("Dates are written", choices=to_choices(DATE_ORDERS.items()))
    columns = FieldList(
        SelectField(
            "Column", choices=to_choices([(NOT_USED, "Not used"), *((f.name, f.label) for f in describe_fields())])
        )
    )

    def validate_columns(self, field: "FieldList[SelectField]") -> None:
        if any(column.errors for column in field):
            field.errors = []  # else the page would show the columns' lists of errors
            raise ValidationError("One of the columns has a choice that there is not. Choose again.")
        chosen = [column.data for column in field if column.data]
        twice = {name for name in chosen if chosen.count(name) > 1}
        if twice:
            labels = [help_.label for help_ in describe_fields() if help_.name in twice]
            raise ValidationError(f"Two columns cannot hold the same: {', '.join(labels)}. Leave one of them unused.")

    def column_map(self) -> ColumnMap:
        columns = {column.data: place for place, column in enumerate(self.columns) if column.data}
        return ColumnMap(self.delimiter.data, bool(self.has_header.data), columns, self.date_order.data)


class SetUpForm(FlaskForm):  # type: ignore[misc]
    """The questions that no file answers."""

    outside_lines = SelectMultipleField(
        "Which of these lead outside?",
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validate_choice=False,
    )
    other_lines = StringField("Other outside lines", [Length(max=1000)])
    extension_digits = StringField(
        "How many digits do your extensions have?",
        [Regexp(r"^\s*([1-9]\s*(,\s*[1-9]\s*)*)?$", message="Give one length such as 3, or several: 3, 4.")],
    )
    outside_prefix = StringField(
        "What do you dial for an outside line?",
        [Regexp(r"^\s*[0-9*#]{0,4}\s*$", message="Give the digits that are dialled first, such as 9, or nothing.")],
    )
    region = SelectField("Country")
    area_code = StringField(
        "Area code",
        [
            Regexp(
                r"^\s*[0-9]{0,7}\s*$",
                message="Give the digits of the area code with its first 0, such as 020, or nothing.",
            )
        ],
    )
    time_zone = SelectField("Its clock shows the time of")

    def __init__(self, *args: Any, lines: Sequence[LineChoice] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._names = {line.value: line.name for line in lines}
        self.region.choices = with_choice(country_choices(), self.region.object_data)
        self.time_zone.choices = with_choice(time_zone_choices(), self.time_zone.object_data)
        self.outside_lines.choices = to_choices([(line.value, line.words) for line in lines])

    def validate_outside_lines(self, field: SelectMultipleField) -> None:
        if any(value.startswith(HIDDEN_LINE) and value not in self._names for value in field.data or []):
            raise ValidationError("One of these lines is not there any more. Look at them again.")

    def answers(self) -> Answers:
        """The answers of a valid form."""
        ticked = (self._names.get(value, value) for value in self.outside_lines.data or [])
        typed = (line.strip() for line in re.split(r"[,\n]", self.other_lines.data or ""))
        return Answers(
            outside_lines=frozenset({*ticked, *(line for line in typed if line)}),
            extension_digits=re.sub(r"\s", "", self.extension_digits.data or ""),
            outside_prefix=(self.outside_prefix.data or "").strip(),
            region=self.region.data,
            area_code=(self.area_code.data or "").strip(),
            time_zone=self.time_zone.data,
        )
