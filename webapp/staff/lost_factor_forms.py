"""The forms of helping people who are locked out, and of the code of who is on the telephone."""

from flask_wtf import FlaskForm
from wtforms import EmailField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from webapp.errors import Refused


def _strip(text: str | None) -> str | None:
    return text.strip() if text else text


class StartForm(FlaskForm):  # type: ignore[misc]
    email = EmailField(
        "E-mail address of the person", [DataRequired("Give an address of theirs."), Length(max=254)], filters=[_strip]
    )
    reason = TextAreaField(
        "Why, and how you made sure that it is them",
        [
            DataRequired("Say why: the person and the owners read it."),
            Length(max=500, message="It has at most 500 characters."),
        ],
        filters=[_strip],
    )

    def refuse(self, refusal: Refused) -> None:
        """Put the refusal beside the address."""
        self.email.errors = [*self.email.errors, refusal.sentence]


class HelpCodeForm(FlaskForm):  # type: ignore[misc]
    code = StringField(
        "Code", [DataRequired("Type the eight digits."), Length(max=20, message="A code has eight digits.")]
    )
