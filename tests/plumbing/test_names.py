"""Names that people give: what nobody sees, or what turns the text around it, is no part of one."""

import pytest

from tests.cast import Cast
from tests.make import Make
from webapp.accounts.passkeys import checked_name as checked_name_of_passkey
from webapp.accounts.people import rename
from webapp.calls.models import Pbx
from webapp.errors import Refused
from webapp.names import clean_name
from webapp.organizations.actions import checked_name
from webapp.sources.actions import rename_pbx

ROCKETEER = "\N{WOMAN}\u200d\N{ROCKET}"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("  Ann\t Lee\r\n", "Ann Lee"),
        ("\u202eAnn\u2069 \x07Lee", "Ann Lee"),
        (f"{ROCKETEER} מוקד ☎", f"{ROCKETEER} מוקד ☎"),
        ("\u200b\u202e \u00a0\ufeff", ""),
        ("", ""),
    ],
)
def test_what_is_stored_is_one_line_that_can_be_seen(typed: str, name: str) -> None:
    assert clean_name(typed) == name
    assert clean_name(name) == name


def test_whatever_has_a_name_has_one_that_can_be_seen(make: Make, cast: Cast) -> None:
    assert checked_name("Har\u202ebour") == checked_name_of_passkey("Har\u202ebour") == "Har bour"
    rename(cast.olive, "\u2066Olive\u2069")
    assert cast.olive.name == "Olive"
    pbx_id = make.pbx().id
    with make.session() as session:
        pbx = session.get_one(Pbx, (make.organization.id, pbx_id))
        rename_pbx(session, pbx, "\u202eBranch", actor_id=None)
        assert pbx.name == "Branch"
        with pytest.raises(Refused):
            rename_pbx(session, pbx, "\u200b", actor_id=None)
    for check in (checked_name, checked_name_of_passkey):
        with pytest.raises(Refused):
            check("\u202e\u200b")
