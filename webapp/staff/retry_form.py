"""The reason that staff give before a failed job or mail goes again."""

from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import DataRequired, Length

REASON_AT_MOST = 300


class RetryForm(FlaskForm):  # type: ignore[misc]
    reason = StringField(
        "Reason",
        [
            DataRequired("Say why: it stands in the record of the service."),
            Length(max=REASON_AT_MOST, message=f"It has at most {REASON_AT_MOST} characters."),
        ],
        filters=[lambda text: " ".join(text.split()) if text else text],
    )
