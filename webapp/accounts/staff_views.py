"""The sign-in page of the operator's staff. What follows it, codes and proofs, is as for everybody; gates.py says when.

The console's own pages are webapp/staff/.
"""

from flask.typing import ResponseReturnValue

from webapp import access
from webapp.accounts.blueprint import bp
from webapp.accounts.doors import STAFF, passkey_at, sign_in_at


@bp.route("/staff/sign-in", methods=["GET", "POST"])
@access.public
def staff_sign_in() -> ResponseReturnValue:
    return sign_in_at(STAFF)


@bp.post("/staff/sign-in/passkey")
@access.public
def staff_sign_in_by_passkey() -> ResponseReturnValue:
    return passkey_at(STAFF)
