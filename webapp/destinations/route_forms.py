"""The form of a number's routes: a row for each, in their order. Texts are kept as typed until the form is read."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from flask_wtf import FlaskForm
from wtforms import BooleanField, FieldList, Form, FormField, HiddenField, SelectField, StringField
from wtforms.validators import ValidationError

from webapp.database.ids import read_id, spell_id
from webapp.destinations.models import Destination
from webapp.destinations.moments import NO_MOMENT, is_moment, read_moment, spell_moment
from webapp.destinations.route_actions import MOST_ROUTES
from webapp.destinations.route_models import RouteCondition
from webapp.destinations.route_words import tell_condition
from webapp.destinations.routing import Plan, RouteLine
from webapp.destinations.schedule_queries import Dated
from webapp.places import to_choices

LONGEST_RING = 600  #: seconds
USUAL_RING = "20"
_NO_ANSWER = "no_answer"
_ANY = ZoneInfo("UTC")
_PLAIN = (RouteCondition.ALWAYS,)
_LATER = (RouteCondition.NO_ANSWER, RouteCondition.BUSY, RouteCondition.UNREACHABLE)
_BY_HOURS = (RouteCondition.OPEN, RouteCondition.CLOSED)


class RouteRow(Form):
    """`when` is the condition with its schedule: "always", "open-<schedule id>"."""

    when = SelectField("When")
    seconds = StringField("Seconds", default=USUAL_RING)
    destination = SelectField("Where the call goes")
    from_at = StringField("From")
    until_at = StringField("Until")
    enabled = BooleanField("On", default=True)

    def validate_seconds(self, field: StringField) -> None:
        text = (field.data or "").strip()
        if self.when.data == _NO_ANSWER and not (
            text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= LONGEST_RING
        ):
            raise ValidationError(f"Give the seconds that it rings, from 1 to {LONGEST_RING}.")

    def validate_destination(self, field: SelectField) -> None:
        if not field.data:
            raise ValidationError("Choose where the call goes.")

    def validate_from_at(self, field: StringField) -> None:
        _check_moment(field.data)

    def validate_until_at(self, field: StringField) -> None:
        _check_moment(field.data)
        begins = read_moment(self.from_at.data, _ANY) if is_moment(self.from_at.data) else None
        ends = read_moment(field.data, _ANY)
        if begins is not None and ends is not None and ends <= begins:
            raise ValidationError("It ends before it begins, so it never applies. Let it end later, or leave it empty.")

    def line(self, zone: ZoneInfo) -> RouteLine:
        """Of a valid row."""
        word, _dash, schedule = self.when.data.partition("-")
        condition = RouteCondition[word.upper()]
        return RouteLine(
            condition=condition,
            destination_id=read_id(self.destination.data),
            schedule_id=read_id(schedule) if schedule else None,
            ring_seconds=int(self.seconds.data or 0) if condition == RouteCondition.NO_ANSWER else None,
            enabled=bool(self.enabled.data),
            from_at=read_moment(self.from_at.data, zone),
            until_at=read_moment(self.until_at.data, zone),
        )


class RoutesForm(FlaskForm):  # type: ignore[misc]
    """`began_with`: id of the plan that was in force when it was opened. `try_at`: for which time it is tried, too."""

    began_with = HiddenField()
    try_at = StringField("And at another time")
    rows = FieldList(FormField(RouteRow), max_entries=MOST_ROUTES)

    def offer(self, destinations: Sequence[Destination], schedules: Sequence[Dated]) -> None:
        """Give each row its choices. Before the form is validated or shown."""
        where, chosen = _where(destinations), {row.form.when.data for row in self.rows}
        when = _when([each for each in schedules if each.schedule.archived_at is None or _is_chosen(each, chosen)])
        for row in self.rows:
            row.form.when.choices, row.form.destination.choices = to_choices(when), to_choices(where)

    def validate_try_at(self, field: StringField) -> None:
        _check_moment(field.data)

    def find_wrong(self) -> list[str]:
        """What keeps it from being tried, each with its route. Leaves the marks beside the fields as they are, on a
        page that only shows.
        """
        marks = [(field, field.errors) for row in self.rows for field in row.form]
        wrong = []
        for number, row in enumerate(self.rows, 1):
            row.form.validate()
            wrong += [f"Route {number}: {' '.join(field.errors)}" for field in row.form if field.errors]
        for field, errors in marks:
            field.errors = errors
        return wrong if is_moment(self.try_at.data) else [*wrong, f"{self.try_at.label.text}: {NO_MOMENT}"]

    @property
    def started_with(self) -> int | None:
        """The plan's id; -1 for what is none."""
        try:
            return read_id(self.began_with.data) if self.began_with.data else None
        except ValueError:
            return -1

    def plan(self, zone: ZoneInfo) -> Plan:
        """Of a valid form."""
        return Plan(tuple(row.form.line(zone) for row in self.rows))

    def typed_rows(self) -> list[dict[str, Any]]:
        return [dict(row.form.data) for row in self.rows]


def arrange(rows: list[dict[str, Any]], asked: str) -> list[dict[str, Any]]:
    """The rows with one more ("add"), without one ("remove-0"), or with one further up or down ("up-2", "down-0")."""
    verb, _dash, number = asked.partition("-")
    place = int(number) if number.isdecimal() and len(number) < 3 else -1
    rows = list(rows)
    if verb == "add":
        return [*rows, {"when": "always", "destination": ""}][:MOST_ROUTES]
    if not 0 <= place < len(rows):
        return rows
    row = rows.pop(place)
    if verb in ("up", "down"):
        rows.insert(max(0, place - 1) if verb == "up" else place + 1, row)
    return rows if verb in ("up", "down", "remove") else [*rows[:place], row, *rows[place:]]


def find_focus(asked: str, count: int) -> str:
    """What has the keyboard's focus once arrange() has left so many rows: the button that was pressed, where its row is
    now, or one beside it; a new row's first field ("when-2").
    """
    verb, _dash, number = asked.partition("-")
    place, last = int(number) if number.isdecimal() and len(number) < 3 else 0, count - 1
    if verb == "up":
        return f"up-{place - 1}" if place > 1 else "down-0"
    if verb == "down":
        return f"down-{place + 1}" if place + 1 < last else f"up-{last}"
    if verb == "remove" and count:
        return f"remove-{min(place, last)}"
    return f"when-{last}" if verb == "add" else "add"


def spell_plan(plan: Plan, zone: ZoneInfo) -> list[dict[str, Any]]:
    """The rows of a stored plan."""
    return [
        {
            "when": _spell_when(line.condition, line.schedule_id),
            "seconds": str(line.ring_seconds or USUAL_RING),
            "destination": spell_id(line.destination_id),
            "from_at": spell_moment(line.from_at, zone),
            "until_at": spell_moment(line.until_at, zone),
            "enabled": line.enabled,
        }
        for line in plan.lines
    ]


def _spell_when(condition: RouteCondition, schedule_id: int | None) -> str:
    word = condition.name.lower()
    return word if schedule_id is None else f"{word}-{spell_id(schedule_id)}"


def _is_chosen(dated: Dated, chosen: set[str]) -> bool:
    return any((when or "").endswith(f"-{spell_id(dated.schedule.id)}") for when in chosen)


def _when(schedules: Sequence[Dated]) -> list[tuple[str, str]]:
    choices = [(_spell_when(each, None), tell_condition(each)) for each in _PLAIN]
    for dated in schedules:
        for condition in _BY_HOURS if dated.is_hours else (RouteCondition.HOLIDAY,):
            spelt = _spell_when(condition, dated.schedule.id)
            choices.append((spelt, tell_condition(condition, dated.schedule.name)))
    later = {RouteCondition.NO_ANSWER: "If nobody answers"}
    return choices + [(_spell_when(each, None), later.get(each) or tell_condition(each)) for each in _LATER]


def _where(destinations: Sequence[Destination]) -> list[tuple[str, str]]:
    names: Mapping[int, str] = {
        each.id: f"{each.name} (archived)" if each.archived_at is not None else each.name for each in destinations
    }
    return [("", "Choose…"), *((spell_id(destination_id), name) for destination_id, name in names.items())]


def _check_moment(text: str | None) -> None:
    if not is_moment(text):
        raise ValidationError(NO_MOMENT)
