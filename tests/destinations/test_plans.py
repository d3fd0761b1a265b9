"""The plan by which patterns are read: the organization's country and its own phone systems, whoever else has some."""

from flask import Flask

from tests.cast import Cast
from tests.make import Make
from webapp.destinations.patterns import Plan
from webapp.destinations.plans import load_plan
from webapp.tenancy.sessions import reading_session


def test_all_phone_systems_of_the_organization_are_known(app: Flask, make: Make, cast: Cast) -> None:
    head, branch = make.pbx("Head office", extension_digits="3"), make.pbx("Branch", extension_digits="4,5")
    make.at(cast.quayside).pbx("Another's", extension_digits="9")
    with reading_session(make.database, cast.harbour.id) as session:
        plan = load_plan(session, "GB")
    assert plan == Plan("GB", {head.id: "Head office", branch.id: "Branch"}, frozenset({3, 4, 5}))


def test_without_a_phone_system_there_are_no_extensions_yet(app: Flask, cast: Cast, make: Make) -> None:
    with reading_session(make.database, cast.harbour.id) as session:
        assert load_plan(session, "GB") == Plan("GB", {}, frozenset())
