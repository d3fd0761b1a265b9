"""The forms of signing in."""

from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, PasswordField
from wtforms.validators import InputRequired, Length

from webapp.accounts.passwords import LONGEST


class SignInForm(FlaskForm):  # type: ignore[misc]
    email = EmailField(
        "E-mail address",
        [InputRequired("Enter your e-mail address."), Length(max=254, message="It has at most 254 characters.")],
    )
    password = PasswordField(
        "Password",
        [InputRequired("Enter your password."), Length(max=LONGEST, message=f"It has at most {LONGEST} characters.")],
    )
    next = HiddenField()
