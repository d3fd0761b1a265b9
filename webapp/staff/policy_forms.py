"""The forms of publishing a policy, of telling of an incident, and of a mail that came back."""

from datetime import UTC, datetime, time

from wtforms import HiddenField, RadioField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from webapp.accounts.models import UserAccount
from webapp.addresses import SLUG_AT_MOST
from webapp.places import to_choices
from webapp.policies.announcing import SUBJECT_AT_MOST, WORDS_AT_MOST
from webapp.policies.publishing import SUMMARY_AT_MOST, Change, Publisher
from webapp.staff.action_forms import ReasonForm
from webapp.staff.organization_actions import checked_reason
from webapp.typed_fields import DayField


class ByForm(ReasonForm):
    """Whose act it is, for the actions of policies/."""

    def by(self, staff: UserAccount) -> Publisher:
        """Of a valid form."""
        return Publisher(staff.id, staff.name or "Somebody", checked_reason(self.reason.data or ""))


class PublishForm(ByForm):
    seen = HiddenField()  #: the digest of the draft that the page showed
    summary = TextAreaField(
        "What changes, in plain words",
        [
            InputRequired("Say what changes: everybody reads it."),
            Length(max=SUMMARY_AT_MOST, message=f"It has at most {SUMMARY_AT_MOST} characters."),
        ],
    )
    significant = RadioField(
        "How much it changes",
        [InputRequired("Choose one.")],
        choices=to_choices(
            [
                ("yes", "Significant: everybody is told ahead, by mail and notice"),
                ("no", "Not significant: it stands in the list of versions and in the feed"),
            ]
        ),
    )
    effective_on = DayField("In force from (UTC)", [Optional()])

    def change(self) -> Change:
        """Of a valid form."""
        day = self.effective_on.data
        effective_at = datetime.combine(day, time(), UTC) if day else None
        return Change(self.summary.data or "", self.significant.data == "yes", effective_at)


class IncidentForm(ByForm):
    subject = StringField(
        "Subject",
        [
            InputRequired("Say what it is about."),
            Length(max=SUBJECT_AT_MOST, message=f"It has at most {SUBJECT_AT_MOST} characters."),
        ],
    )
    words = TextAreaField(
        "What people read",
        [
            InputRequired("Say what happened, whose data, what you do, and what people should do."),
            Length(max=WORDS_AT_MOST, message=f"It has at most {WORDS_AT_MOST} characters."),
        ],
    )
    whom = RadioField(
        "Whom it concerns",
        [InputRequired("Choose whom.")],
        choices=to_choices([("everybody", "Everybody"), ("one", "The people of one organization")]),
    )
    slug = StringField(
        "The organization’s name in addresses",
        [Length(max=SLUG_AT_MOST, message=f"It has at most {SLUG_AT_MOST} characters.")],
    )


class CameBackForm(ByForm):
    message_id = StringField(
        "Message-ID",
        [InputRequired("Give the Message-ID of the mail."), Length(max=200, message="A Message-ID is shorter.")],
    )
