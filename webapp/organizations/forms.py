"""The forms of an organization's settings."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from webapp.accounts.session_limits import IDLE_CHOICES
from webapp.organizations.actions import NAME_AT_MOST
from webapp.organizations.company import CONTACT_AT_MOST, Company
from webapp.places import country_choices, time_zone_choices, to_choices, with_choice
from webapp.tenancy.models import Organization

_HOUR = 60


class CompanyForm(FlaskForm):  # type: ignore[misc]
    name = StringField(
        "Name",
        [
            InputRequired("Give the organization a name."),
            Length(max=NAME_AT_MOST, message=f"It has at most {NAME_AT_MOST} characters."),
        ],
    )
    time_zone = SelectField("Time zone")
    region = SelectField("Country")
    contact = StringField(
        "Whom to ask", [Length(max=CONTACT_AT_MOST, message=f"It has at most {CONTACT_AT_MOST} characters.")]
    )

    def __init__(self, organization: Organization, *args: Any, **kwargs: Any) -> None:
        zone = organization.chosen_time_zone
        shown = {"name": organization.name, "time_zone": zone, "region": organization.region}
        super().__init__(*args, data={**shown, "contact": organization.contact}, **kwargs)
        self.time_zone.choices = with_choice(time_zone_choices(), zone)
        self.region.choices = with_choice(country_choices(), organization.region)

    def company(self) -> Company:
        """Of a valid form."""
        return Company(self.name.data or "", self.time_zone.data, self.region.data, self.contact.data or "")


class SigningInForm(FlaskForm):  # type: ignore[misc]
    idle_minutes = SelectField("A quiet screen is signed out after", coerce=int)
    second_factor_required = BooleanField("Everyone needs a second factor besides the password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.idle_minutes.choices = to_choices([(str(minutes), _tell(minutes)) for minutes in IDLE_CHOICES])


def _tell(minutes: int) -> str:
    if minutes < _HOUR:
        return f"{minutes} minutes"
    return "1 hour" if minutes == _HOUR else f"{minutes // _HOUR} hours"
