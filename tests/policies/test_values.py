"""policy.toml: what is read, what is missing, and what is wrong in it in words."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from config import Settings, load_settings
from tests.policies.conftest import FILLED_IN, Fill
from webapp.policies.facts import list_facts
from webapp.policies.values import Partner, Values, ValuesError, load_values

_TEMPLATE = Path(__file__).resolve().parents[2] / "docs" / "policy.toml.example"


def test_the_template_as_it_is_promises_nothing(settings: Settings) -> None:
    """Copied and not filled in, it is all gaps: no service answers as "Example Telephony" by mistake."""
    (settings.data_dir / "policy.toml").write_bytes(_TEMPLATE.read_bytes())
    values = load_values(settings)
    assert values == Values()


def test_the_template_names_every_value(settings: Settings) -> None:
    text = _TEMPLATE.read_text("utf-8").replace('""', '"https://words.example"').replace("[]", '["Germany"]')
    uncommented = re.sub(r"^# (?=\w+ = |\[\[)", "", text, flags=re.MULTILINE)
    (settings.data_dir / "policy.toml").write_text(uncommented, "utf-8")
    values = load_values(settings)
    assert values.missing == []
    assert values.partners[1] == Partner("Example Mail", "delivers our mail", "Ireland")


def test_a_file_that_is_filled_in_is_complete(settings: Settings, fill: Fill) -> None:
    fill()
    values = load_values(settings)
    assert values.missing == []
    assert values.partners[1] == Partner("Example Mail", "delivers our mail", "Ireland")
    assert (values.regions, values.backup_hours, values.notice_days) == (("Germany",), 24, 14)


def test_a_file_that_is_not_there_has_no_values(settings: Settings) -> None:
    values = load_values(settings)
    assert values == Values()
    assert {"operator", "law", "partners", "regions", "backup_hours"} <= set(values.missing)
    assert "notice_days" not in values.missing


def test_it_may_lie_elsewhere(settings: Settings) -> None:
    found = load_settings({"SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz", "POLICY_FILE": str(FILLED_IN)})
    assert load_values(found).operator == "Example Telephony GmbH"


@pytest.mark.parametrize(
    ("kept", "months"), [((7, 4, 3), "3"), ((7, 52, 3), "12"), ((100, 0, 0), "4"), ((7, 4, 0), "1"), ((0, 0, 0), "1")]
)
def test_backups_are_kept_for_the_longest_of_days_weeks_and_months(
    settings: Settings, kept: tuple[int, int, int], months: str
) -> None:
    days, weeks, month_count = kept
    changed = replace(settings, backup_keep_days=days, backup_keep_weeks=weeks, backup_keep_months=month_count)
    assert list_facts(changed)["backup_months"] == months


def test_several_regions_read_as_words(settings: Settings, fill: Fill) -> None:
    fill(regions='["Germany", "France", "Spain"]')
    assert load_values(settings).filling()["regions"] == "Germany, France and Spain"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("operator = ", "cannot be read"),
        ("operater = 'x'", "has 'operater', which is no value"),
        ("operator = 3", "operator in policy.toml must be a text in quotes"),
        (f"operator = '{'x' * 501}'", "at most 500 characters"),
        ('operator = "a\\u0007b"', "characters that cannot be shown"),
        ("security_contact = 'call us'", "must be an e-mail address, or a page"),
        ("security_contact = 'http://example.com'", "must be an e-mail address, or a page"),
        ("drill_days = 0", "a whole number from 1 to 10000"),
        ("notice_days = 1400", "a whole number from 1 to 366"),
        ("drill_days = true", "a whole number"),
        ("drill_days = '90'", "a whole number"),
        ("regions = 'Germany'", "is a list of texts"),
        ("[[partners]]\nname = 'A'", "has name, purpose and region, and nothing else"),
        ("regions = ['']", "regions in policy.toml has an empty text"),
        ("[[partners]]\nname = 'A'\npurpose = ' '\nregion = 'B'", "has an empty name, purpose or region"),
        ("partners = 'A'", "has name, purpose and region"),
    ],
)
def test_what_is_wrong_is_said(settings: Settings, text: str, words: str) -> None:
    (settings.data_dir / "policy.toml").write_text(text, "utf-8")
    with pytest.raises(ValuesError, match=words):
        load_values(settings)


def test_bytes_that_are_no_text(settings: Settings) -> None:
    (settings.data_dir / "policy.toml").write_bytes(b"operator = '\xff'")
    with pytest.raises(ValuesError, match="cannot be read"):
        load_values(settings)
