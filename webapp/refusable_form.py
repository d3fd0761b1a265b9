"""A form beside whose fields refusals are put. The base of forms whose rules are checked behind them, by actions."""

from flask_wtf import FlaskForm

from webapp.errors import Refused


class RefusableForm(FlaskForm):  # type: ignore[misc]
    """A rule that the form cannot know may refuse what it holds."""

    def refuse(self, refusal: Refused) -> None:
        """Put a refusal beside the field that it belongs to, or above all where it belongs to none."""
        field = self._fields.get(refusal.field)
        if field is None:
            self.form_errors.append(refusal.sentence)
        else:
            field.errors = [*field.errors, refusal.sentence]
