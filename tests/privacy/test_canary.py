"""The golden canary: a string in every personal column of an organization is in its takeout, and nobody else's is."""

from config import Settings
from tests.cast import Cast
from tests.make import Make
from tests.privacy.canary import plant
from tests.privacy.taking import take_out
from webapp.database.engine import Database
from webapp.privacy.catalogue import TABLES
from webapp.privacy.entries import Exported, Whose


def test_every_personal_column_is_planted(make: Make) -> None:
    planted = plant(make, "goldfinch")

    assert set(planted.strings) == {
        (table.name, column)
        for table in TABLES.values()
        if table.whose is not Whose.SERVICE
        for column in table.personal
    }
    assert len(planted.strings) > 40


def test_security_49_every_canary_is_in_the_takeout_and_none_of_another_organization(
    make: Make, cast: Cast, database: Database, settings: Settings
) -> None:
    own, others = plant(make, "goldfinch"), plant(make.at(cast.quayside), "wagtail")
    taken = take_out(database, settings, make.organization.id, cast.olive.id)

    for (table, column), text in own.exported().items():
        exported = TABLES[table].takeout
        assert isinstance(exported, Exported)
        for ending in (".csv", ".jsonl"):
            assert text.encode() in taken.files[exported.file + ending], (table, column, ending)
    assert taken.names_with(own.strings["stored_chunk", "content"], lambda name: name.startswith("files/"))
    assert taken.names_with(own.strings["audit_detail", "words"], lambda name: name == "audit/chain.jsonl")
    assert taken.names_with("wagtail") == []
    assert others.exported().keys() == own.exported().keys()


def test_what_is_a_persons_own_is_in_no_takeout(make: Make, cast: Cast, database: Database, settings: Settings) -> None:
    """Members are in other organizations too: their further addresses, networks and passkeys are not their owners'."""
    own = plant(make, "goldfinch")
    taken = take_out(database, settings, make.organization.id, cast.olive.id)

    left = {key: text for key, text in own.strings.items() if key not in own.exported() and key[0] != "stored_chunk"}
    assert ("user_email", "email") in left and ("passkey", "name") in left
    assert [key for key, text in left.items() if taken.names_with(text)] == []
