"""Days, times of the day and moments in forms. What is none is kept as it was typed, and told how to write one.

Used by the forms of every feature; WTForms would say "Not a valid date value."
"""

from wtforms import DateField, DateTimeLocalField, TimeField
from wtforms.fields import Field


def _or_empty(field: Field) -> str:
    return ", or leave it empty" if field.flags.optional else ""


class DayField(DateField):
    """A day of the calendar."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(f"This is no day of the calendar. Write it as 2026-05-03{_or_empty(self)}.") from None


class HourField(TimeField):
    """A time of the day."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(f"This is no time of the day. Write it as 19:00{_or_empty(self)}.") from None


class MomentField(DateTimeLocalField):
    """A day and a time of it."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(f"This is no day and time. Write it as 2026-12-24T18:00{_or_empty(self)}.") from None
