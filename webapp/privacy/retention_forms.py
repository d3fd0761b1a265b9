"""The form in which an owner chooses how long the organization keeps what."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms import HiddenField, SelectField

from webapp.places import with_choice
from webapp.privacy.retention import AUDIT_CHOICES, EXPORT_CHOICES, LONG_CHOICES, Rules, tell_days

_FOR_EVER = "0"  #: in the place of days, in the form and in its address


class RetentionForm(FlaskForm):  # type: ignore[misc]
    calls = SelectField("Calls and their records")
    files = SelectField("Files that were imported")
    audit = SelectField("The list under “Who looked”")
    exports = SelectField("Takeouts")
    known = HiddenField()  #: the rules in force when what would go was shown; those of now where nobody was shown it

    def __init__(self, rules: Rules, *args: Any, **kwargs: Any) -> None:
        shown = {name: _spell(days) for name, days in rules._asdict().items()}
        self._known = " ".join(shown.values())
        super().__init__(*args, data={**shown, "known": self._known}, **kwargs)
        offered = {"calls": LONG_CHOICES, "files": LONG_CHOICES, "audit": AUDIT_CHOICES, "exports": EXPORT_CHOICES}
        for name, choices in offered.items():
            ends = () if name == "exports" else (None,)
            field: SelectField = self[name]
            field.choices = with_choice([(_spell(days), _label(days)) for days in (*choices, *ends)], shown[name])

    @property
    def is_outdated(self) -> bool:
        """Whether other rules are in force since what would go was shown."""
        return bool(self.known.data != self._known)

    def rules(self) -> Rules:
        """Of a valid form."""
        calls, audit, files = (_read(self[name].data) for name in ("calls", "audit", "files"))
        return Rules(calls, audit, files, int(self.exports.data))


def _label(days: int | None) -> str:
    words = tell_days(days)
    return words[0].upper() + words[1:]


def _spell(days: int | None) -> str:
    return _FOR_EVER if days is None else str(days)


def _read(text: str) -> int | None:
    return None if text == _FOR_EVER else int(text)
