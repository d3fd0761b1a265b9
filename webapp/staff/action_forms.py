"""The forms of what staff do without looking: each asks why, last."""

from datetime import UTC, datetime, timedelta
from typing import Any

from wtforms import IntegerField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError

from webapp.accounts.models import UserAccount
from webapp.addresses import SLUG_AT_MOST
from webapp.clock import now
from webapp.errors import Refused
from webapp.formatting import format_size
from webapp.jobs.stored_files import QUOTA_BYTES
from webapp.organizations.actions import NAME_AT_MOST
from webapp.places import country_choices, time_zone_choices, to_choices
from webapp.refusable_form import RefusableForm
from webapp.staff.notice_actions import WORDS_AT_MOST
from webapp.staff.organization_actions import Act, NewOrganization, checked_reason
from webapp.typed_fields import MomentField

GIGABYTE = 1000**3
_MOST = 1_000_000
_ADDRESS_AT_MOST = 254


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


class WholeNumberField(IntegerField):
    def process_formdata(self, valuelist: list[Any]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError("Give a whole number, or nothing.") from None


class ReasonForm(RefusableForm):
    """Nothing but why."""

    reason = StringField("Why", filters=[_one_line])

    def validate_reason(self, field: StringField) -> None:
        try:
            checked_reason(field.data or "")
        except Refused as refusal:
            raise ValidationError(refusal.sentence) from None

    def act(self, staff: UserAccount) -> Act:
        """Of a valid form."""
        return Act(staff, checked_reason(self.reason.data or ""))


class SetUpForm(ReasonForm):
    name = StringField(
        "Name",
        [
            InputRequired("Give the organization a name."),
            Length(max=NAME_AT_MOST, message=f"It has at most {NAME_AT_MOST} characters."),
        ],
        filters=[_one_line],
    )
    slug = StringField(
        "Name in addresses",
        [
            InputRequired("Give the name that stands in its addresses."),
            Length(max=SLUG_AT_MOST, message=f"It has at most {SLUG_AT_MOST} characters."),
        ],
        filters=[_one_line],
    )
    time_zone = SelectField("Time zone", [InputRequired("Choose its time zone.")])
    region = SelectField("Country", [InputRequired("Choose its country.")])
    email = StringField(
        "Its first owner",
        [
            InputRequired("Give the address of its first owner."),
            Length(max=_ADDRESS_AT_MOST, message="An address is shorter than that."),
        ],
        filters=[_one_line],
    )

    def __init__(self) -> None:
        super().__init__()
        self.time_zone.choices = [*to_choices([("", "Choose")]), *time_zone_choices()]
        self.region.choices = [*to_choices([("", "Choose")]), *country_choices()]

    def organization(self) -> NewOrganization:
        """Of a valid form."""
        texts = (self.slug.data, self.name.data, self.time_zone.data, self.region.data, self.email.data)
        return NewOrganization(*(text or "" for text in texts))


class LimitsForm(ReasonForm):
    usual_files = format_size(QUOTA_BYTES)

    files = WholeNumberField(
        "Files kept, in GB",
        [Optional(), NumberRange(1, _MOST, message=f"Give a number from 1 to {_MOST:,}, or nothing.")],
    )
    people = WholeNumberField(
        "People",
        [Optional(), NumberRange(1, _MOST, message=f"Give a number from 1 to {_MOST:,}, or nothing.")],
    )

    def __init__(self, file_limit: int | None, people_limit: int | None) -> None:
        """The limits as they are, in bytes and people."""
        files = None if file_limit is None else max(1, round(file_limit / GIGABYTE))
        super().__init__(data={"files": files, "people": people_limit})

    @property
    def file_limit(self) -> int | None:
        """Bytes, of a valid form."""
        return None if self.files.data is None else int(self.files.data) * GIGABYTE


class AddressForm(ReasonForm):
    email = StringField(
        "Address",
        [
            InputRequired("Give the address that they told you."),
            Length(max=_ADDRESS_AT_MOST, message="An address is shorter than that."),
        ],
        filters=[_one_line],
    )


class SignOutForm(ReasonForm):
    whom = RadioField(
        "Whom",
        [InputRequired("Choose whom.")],
        choices=to_choices([("one", "One person"), ("everybody", "All people of the organization")]),
    )
    email = StringField(
        "Address of the one person",
        [Length(max=_ADDRESS_AT_MOST, message="An address is shorter than that.")],
        filters=[_one_line],
    )

    def validate_whom(self, field: RadioField) -> None:
        if field.data == "everybody" and self.email.data:
            raise ValidationError("An address is given too: take it out, or choose one person.")

    def validate_email(self, field: StringField) -> None:
        if self.whom.data == "one" and not field.data:
            raise ValidationError("Give the address that they told you.")


class NoticeForm(ReasonForm):
    """Times are UTC: staff serve people in many zones."""

    words = TextAreaField(
        "What everybody reads",
        [
            InputRequired("Write what everybody reads."),
            Length(max=WORDS_AT_MOST, message=f"It has at most {WORDS_AT_MOST} characters."),
        ],
        filters=[_one_line],
    )
    starts_at = MomentField("From (UTC)", [InputRequired("Say from when.")])
    ends_at = MomentField("Until (UTC)", [InputRequired("Say until when.")])

    def __init__(self, **kwargs: Any) -> None:
        moment = now().replace(tzinfo=None, second=0, microsecond=0)
        super().__init__(data={"starts_at": moment, "ends_at": moment + timedelta(hours=1)}, **kwargs)

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Of a valid form."""
        starts_at, ends_at = self.starts_at.data, self.ends_at.data
        assert starts_at is not None and ends_at is not None
        return starts_at.replace(tzinfo=UTC), ends_at.replace(tzinfo=UTC)
