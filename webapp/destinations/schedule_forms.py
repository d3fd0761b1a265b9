"""The forms of opening hours (a field a weekday) and of holidays (a day a line)."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms import HiddenField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from webapp.destinations.routing import Holidays, Hours, Schedule
from webapp.destinations.schedule_actions import LONGEST_NAME
from webapp.destinations.schedule_text import WEEKDAYS, read_holidays, read_hours, spell_day, spell_holidays
from webapp.places import time_zone_choices, with_choice

_LONGEST_DAY, _LONGEST_CALENDAR = 200, 60_000


class ScheduleForm(FlaskForm):  # type: ignore[misc]
    """What both have. `began_with`: the version that it was opened with."""

    name = StringField(
        "Name",
        [
            InputRequired("Give it a name, by which routes tell it apart."),
            Length(max=LONGEST_NAME, message=f"At most {LONGEST_NAME} characters fit."),
        ],
    )
    time_zone = SelectField("Times are of")
    began_with = HiddenField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.time_zone.choices = with_choice(time_zone_choices(), self.time_zone.object_data)


def _day(name: str) -> StringField:
    return StringField(name, [Length(max=_LONGEST_DAY, message="This is too long.")])


class HoursForm(ScheduleForm):
    day_1, day_2, day_3, day_4, day_5, day_6, day_7 = (_day(name) for name in WEEKDAYS)

    @property
    def days(self) -> list[StringField]:
        return [self[f"day_{weekday}"] for weekday in range(1, 8)]

    def rule(self) -> Hours:
        """Of a valid form. Raises Refused with the name of a field."""
        return Hours(self.time_zone.data, read_hours([field.data or "" for field in self.days]))

    def show(self, rule: Schedule) -> None:
        assert isinstance(rule, Hours)
        for weekday, field in enumerate(self.days, 1):
            field.data = spell_day(rule.spans, weekday)


class HolidaysForm(ScheduleForm):
    days = TextAreaField("Days", [Length(max=_LONGEST_CALENDAR, message="This is too long.")])

    def rule(self) -> Holidays:
        """As of HoursForm."""
        return Holidays(self.time_zone.data, read_holidays(self.days.data or ""))

    def show(self, rule: Schedule) -> None:
        assert isinstance(rule, Holidays)
        self.days.data = spell_holidays(rule.days)


AnyScheduleForm = HoursForm | HolidaysForm
