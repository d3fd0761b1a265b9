"""Days, times of the day and moments in forms. What is none is kept as it was typed, and told how to write one.

Used by the forms of every feature; WTForms would say "Not a valid date value."
"""

from wtforms import DateField, DateTimeLocalField, TimeField
from wtforms.fields import Field


class _ToldField(Field):
    """`mistake`: what is wrong and how to write it, without an end."""

    mistake: str

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            or_empty = ", or leave it empty" if self.flags.optional else ""
            raise ValueError(f"{self.mistake}{or_empty}.") from None


class DayField(_ToldField, DateField):
    """A day of the calendar."""

    mistake = "This is no day of the calendar. Write it as 2026-05-03"


class HourField(_ToldField, TimeField):
    """A time of the day."""

    mistake = "This is no time of the day. Write it as 19:00"


class MomentField(_ToldField, DateTimeLocalField):
    """A day and a time of it."""

    mistake = "This is no day and time. Write it as 2026-12-24T18:00"
