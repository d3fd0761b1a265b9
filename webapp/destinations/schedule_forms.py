"""The forms of opening hours (a field a weekday) and of holidays (a day a line). All that is wrong is told at once."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms import HiddenField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from webapp.destinations.moments import NO_MOMENT, is_moment
from webapp.destinations.routing import Holidays, Hours, Schedule
from webapp.destinations.schedule_actions import LONGEST_NAME
from webapp.destinations.schedule_text import (
    WEEKDAYS,
    find_wrong_holidays,
    find_wrong_hours,
    read_holidays,
    read_hours,
    spell_day,
    spell_holidays,
)
from webapp.places import is_time_zone, time_zone_choices, with_choice


class ScheduleForm(FlaskForm):  # type: ignore[misc]
    """What both have. `began_with`: the version that it was opened with. `try_at`: for which time it is tried, too."""

    name = StringField(
        "Name",
        [
            InputRequired("Give it a name, by which routes tell it apart."),
            Length(max=LONGEST_NAME, message=f"At most {LONGEST_NAME} characters fit."),
        ],
    )
    time_zone = SelectField("Times are of")
    began_with = HiddenField()
    try_at = StringField("And at another time")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.time_zone.choices = with_choice(time_zone_choices(), self.time_zone.object_data)

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Also what no field sees by itself."""
        valid: bool = super().validate(*args, **kwargs)
        wrong = self.find_wrong()
        for name, sentence in wrong.items():
            self[name].errors = [sentence]
        return valid and not wrong

    def find_wrong(self) -> dict[str, str]:
        """What keeps it from being tried, by the name of the field. Marks nothing."""
        wrong = self._find_wrong_days()
        if not is_time_zone(self.time_zone.data or ""):
            wrong["time_zone"] = "Choose one of the time zones."
        if not is_moment(self.try_at.data):
            wrong["try_at"] = NO_MOMENT
        return wrong

    def _find_wrong_days(self) -> dict[str, str]:
        raise NotImplementedError


class HoursForm(ScheduleForm):
    day_1, day_2, day_3, day_4, day_5, day_6, day_7 = map(StringField, WEEKDAYS)

    @property
    def days(self) -> list[StringField]:
        return [self[f"day_{weekday}"] for weekday in range(1, 8)]

    def rule(self) -> Hours:
        """Where nothing is wrong."""
        return Hours(self.time_zone.data, read_hours(self._texts()))

    def show(self, rule: Schedule) -> None:
        assert isinstance(rule, Hours)
        for weekday, field in enumerate(self.days, 1):
            field.data = spell_day(rule.spans, weekday)

    def _find_wrong_days(self) -> dict[str, str]:
        return find_wrong_hours(self._texts())

    def _texts(self) -> list[str]:
        return [field.data or "" for field in self.days]


class HolidaysForm(ScheduleForm):
    days = TextAreaField("Days")

    def rule(self) -> Holidays:
        """Where nothing is wrong."""
        return Holidays(self.time_zone.data, read_holidays(self.days.data or ""))

    def show(self, rule: Schedule) -> None:
        assert isinstance(rule, Holidays)
        self.days.data = spell_holidays(rule.days)

    def _find_wrong_days(self) -> dict[str, str]:
        return find_wrong_holidays(self.days.data or "")


AnyScheduleForm = HoursForm | HolidaysForm
