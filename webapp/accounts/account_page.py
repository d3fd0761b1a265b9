"""The page "My account", which two views files answer with."""

from flask import Response, render_template
from flask_login import current_user

from webapp.accounts.forms import AddressForm, NameForm
from webapp.accounts.links import VALID_MINUTES
from webapp.accounts.queries import list_addresses
from webapp.tenancy.request import looking


def account_page(name_form: NameForm, email_form: AddressForm) -> Response:
    with looking() as session:
        addresses = list_addresses(session, current_user.id)
    page = render_template(
        "accounts/account.html",
        form=name_form,
        email_form=email_form,
        addresses=addresses,
        valid_minutes=VALID_MINUTES,
    )
    return Response(page, 422 if name_form.errors or email_form.errors else 200)
