"""Days and times in the forms of this package. What is none is kept as it was typed, and told how to write one."""

from wtforms import DateField, TimeField

FIRST_YEAR, LAST_YEAR = 1970, 2199
ODD_YEAR = f"Give a day between {FIRST_YEAR} and {LAST_YEAR}."


class DayField(DateField):
    """A day of the calendar."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            or_empty = ", or leave it empty" if self.flags.optional else ""
            raise ValueError(f"This is no day of the calendar. Write it as 2026-05-03{or_empty}.") from None


class HourField(TimeField):
    """A time of the day that may be left empty."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError("This is no time of the day. Write it as 19:00, or leave it empty.") from None
