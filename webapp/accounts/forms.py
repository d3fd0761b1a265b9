"""The forms of signing in and of a person's own account."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from webapp.accounts.models import UserAccount
from webapp.accounts.passwords import LONGEST

_EMAIL_AT_MOST = 254
_CODE_AT_MOST = 40


def _required(sentence: str, at_most: int) -> list[Any]:
    return [InputRequired(sentence), Length(max=at_most, message=f"It has at most {at_most} characters.")]


def _strip(text: str | None) -> str | None:
    return text.strip() if text else text


class SignInForm(FlaskForm):  # type: ignore[misc]
    email = EmailField("E-mail address", _required("Enter your e-mail address.", _EMAIL_AT_MOST))
    password = PasswordField("Password", _required("Enter your password.", LONGEST))
    next = HiddenField()


class CodeForm(FlaskForm):  # type: ignore[misc]
    """A code of the authenticator app, or a recovery code."""

    code = StringField("Code", _required("Enter the code.", _CODE_AT_MOST), filters=[_strip])


class EmailForm(FlaskForm):  # type: ignore[misc]
    email = EmailField("E-mail address", _required("Enter an e-mail address.", _EMAIL_AT_MOST), filters=[_strip])


class AddressForm(FlaskForm):  # type: ignore[misc]
    """One more address of a person."""

    email = EmailField("Another address", _required("Enter an e-mail address.", _EMAIL_AT_MOST), filters=[_strip])


class NameForm(FlaskForm):  # type: ignore[misc]
    name = StringField("Your name", [Length(max=100, message="It has at most 100 characters.")], filters=[_strip])


class NewPasswordForm(FlaskForm):  # type: ignore[misc]
    password = PasswordField("New password", [InputRequired("Enter a new password.")])


class ChangePasswordForm(NewPasswordForm):
    present = PasswordField("Present password", _required("Enter your present password.", LONGEST))


class PasskeyForm(FlaskForm):  # type: ignore[misc]
    """The answer of a passkey, which a script puts in. `next`: where it leads; `kept`: as in ProveForm."""

    credential = HiddenField()
    next = HiddenField()
    kept = HiddenField()


class PasskeyNameForm(FlaskForm):  # type: ignore[misc]
    """A passkey's name; with `credential`, a new one's."""

    name = StringField("Name", [Length(max=50, message="It has at most 50 characters.")], filters=[_strip])
    credential = HiddenField()


class ProveForm(FlaskForm):  # type: ignore[misc]
    """The password, and a code of who has a second factor: of the app, or a recovery code.

    `kept`: a form that was sent too late (kept_forms.py).
    """

    password = PasswordField("Password", _required("Enter your password.", LONGEST))
    code = StringField("Code of your authenticator app", filters=[_strip])
    next = HiddenField()
    kept = HiddenField()

    def __init__(self, person: UserAccount, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.needs_code = person.has_factor
        if person.totp_secret is None:
            self.code.label.text = "Recovery code"
        if self.needs_code:
            self.code.validators = _required("Enter the code that the app shows, or a recovery code.", _CODE_AT_MOST)
