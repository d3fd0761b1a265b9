"""The texts: every promise is in them, they are short, and nothing in text or values becomes anything but words."""

import re
from dataclasses import replace

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import Settings
from tests.policies.conftest import Fill
from webapp.policies.facts import fill as fill_in
from webapp.policies.models import Policy
from webapp.policies.text import load_body, placeholders, read_body, read_text
from webapp.policies.values import load_values

#: Section and words that each must have; what the issue asks the policies to promise.
PRIVACY = {
    "Your data is yours": [
        "Only you, and the people you invite",
        "strict confidence",
        "no third party",
        "law requires",
    ],
    "What our people see": [
        "one secure administration interface",
        "never shows us the detailed data, unless you ask us to look, or permit it",
        "our interest is limited to improving the service",
    ],
    "Your details": [
        "company’s name, the e-mail addresses",
        "records of your calls",
        "destinations",
        "ever disclosed, but by law",
        "no sound of any call",
        "no text of a message",
    ],
    "Cookies": [
        "on your computer",
        "Like most secure services we need one",
        "current session only",
        "gone when you close the browser",
        "anonymous identifier",
        "discloses nothing about you or your data",
    ],
    "Storage and location": [
        "hardware, software, network and storage",
        "the relay that delivers our mail is one of them",
        "code and the databases are ours",
        "all rights to your data are yours",
        "disaster recovery",
    ],
    "Changes": ["Significant changes", "your primary address", "shown on this website"],
    "You called one of our customers": ["please ask it", "We cannot look for you"],
}
SECURITY = {
    "Who gets in": ["by invitation"],
    "Signing in and sessions": ["30 minutes", "12 hours", "15 minutes", "8 hours", "12 to 128 characters"],
    "One customer apart from another": ["keeps? them apart on this database", "shows nothing, never too much"],
    "What our people can do": ["only while you allow it", "a shell on the server"],
    "What is recorded": ["Who signed in, looked, searched", "sealed to the one before"],
    "Encrypted, and what is not": ["On the way", "At rest", "[Tt]he live database is not encrypted"],
    "Suppliers": ["hardware, network, storage and mail"],
    "Backups and disaster recovery": ["every 24 hours", "At most 24 hours of your data", "8 hours", "every 90 days"],
    "How we tell you of a breach": ["primary address", "72 hours"],
    "How to report a hole": ["security@example.com", "security.txt"],
}
PROMISES = {
    Policy.PRIVACY: {
        *("only-invited", "tenants-apart", "no-third-party", "staff-locked-out", "openings-in-grants", "counts-only"),
        *("nothing-but-records", "one-cookie", "own-database", "changes-told"),
    },
    Policy.SECURITY: {
        *("sessions-as-said", "second-factor-for-staff", "tenants-apart", "staff-locked-out", "audit-whole"),
        *("encrypted-on-the-way", "backups-young", "drill-young", "retention-runs", "security-txt"),
        *("only-invited", "own-database", "no-third-party", "breach-told"),
    },
}
CANARIES = (
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "{{7*7}}",
    "[a](javascript:alert(1))",
    "![a](https://evil.example/x.png)",
    "[a](//evil.example)",
    "[a](/\\evil.example)",
    "<script>alert(1)</script>",
    "[a](data:text/html,x)",
    "&lt;b&gt;",
)


def words_of(policy: Policy, settings: Settings) -> dict[str, str]:
    text = read_text(policy, fill_in(settings, load_values(settings)))
    return {section.title: " ".join(block.words for block in section.blocks) for section in text.sections}


@pytest.mark.parametrize(("policy", "promised"), [(Policy.PRIVACY, PRIVACY), (Policy.SECURITY, SECURITY)])
def test_every_section_with_all_of_its_promises(
    policy: Policy, promised: dict[str, list[str]], settings: Settings, fill: Fill
) -> None:
    fill()
    found = words_of(policy, settings)
    assert [title for title in found if title in promised] == list(promised)
    for title, sentences in promised.items():
        for sentence in sentences:
            assert re.search(sentence, found[title]), (title, sentence)


@pytest.mark.parametrize(
    ("url", "words"), [("sqlite:///x", "One lock keeps them apart"), ("postgresql://x", "Two locks keep them apart")]
)
def test_it_promises_as_many_locks_as_this_database_has(url: str, words: str, settings: Settings, fill: Fill) -> None:
    """On SQLite the authorizer keeps staff out, not one customer from another."""
    fill()
    found = words_of(Policy.SECURITY, replace(settings, database_url=url))["One customer apart from another"]
    assert found.startswith(words)
    assert ("Each lock holds by itself" in found) is (words[:3] == "Two")


@pytest.mark.parametrize("url", ["sqlite:///x", "postgresql://x"])
@pytest.mark.parametrize("policy", Policy)
def test_it_is_read_in_two_minutes_and_nothing_is_missing(
    policy: Policy, url: str, settings: Settings, fill: Fill
) -> None:
    fill()
    settings = replace(settings, database_url=url, base_url="https://callbook.example")
    text = " ".join(words_of(policy, settings).values())
    assert len(text.split()) <= 480, "two minutes at 240 words"
    assert "to be filled in" not in text
    assert placeholders(load_body(policy)) <= fill_in(settings, load_values(settings)).keys()


@pytest.mark.parametrize("policy", Policy)
def test_the_promises_that_are_shown_beside_it(policy: Policy) -> None:
    named = [promise for section in read_text(policy).sections for promise in section.promises]
    assert set(named) == PROMISES[policy]
    assert len(named) == len(set(named))


@pytest.mark.parametrize("policy", Policy)
def test_links_lead_to_pages_and_sections_that_are_there(policy: Policy) -> None:
    anchors = {each.word: {section.anchor for section in read_text(each).sections} for each in Policy}
    assert all(len(found) == len(read_text(Policy[name.upper()]).sections) for name, found in anchors.items())
    for section in read_text(policy).sections:
        for address in re.findall(r'href="([^"]+)"', section.html):
            page, _hash, anchor = address.partition("#")
            assert page.startswith("/")
            if anchor:
                assert anchor in anchors[page.strip("/")], address


def test_a_missing_value_is_a_gap_that_one_sees() -> None:
    [section] = read_body("---\ntitle: T\n---\n## One\nWe are {operator}.\n\n{partners}\n", {}).sections
    assert str(section.html).count('class="gap"') == 2
    assert "[operator: still to be filled in]" in section.html
    assert [block.words for block in section.blocks] == [
        "We are [operator: still to be filled in].",
        "[partners: still to be filled in]",
    ]


def test_the_title_and_where_links_lead_are_words_too() -> None:
    """So that a version in which nothing else changed differs from the one before."""
    text = read_body("---\ntitle: Our policy\n---\n## One\nRead [this](/one) and [that](https://two.example).\n", {})
    assert [(block.kind, block.words) for block in text.blocks] == [
        ("h1", "Our policy"),
        ("h2", "One"),
        ("p", "Read this (/one) and that (https://two.example)."),
    ]


def test_a_value_of_rows_is_a_table() -> None:
    [section] = read_body("## One\n{partners}\n", {"partners": [["A & B", "<iron>", "DE"]]}).sections
    assert "<td>A &amp; B</td><td>&lt;iron&gt;</td><td>DE</td>" in section.html
    assert "<p>" not in section.html
    assert section.blocks[1].words == "A & B · <iron> · DE"


def parsed(html: str) -> list[str]:
    """What a browser makes of it: elements with their attributes."""
    tree = html5lib.parseFragment(html, namespaceHTMLElements=False)
    return [
        f"{element.tag} {sorted(element.attrib.items())}" for element in tree.iter() if isinstance(element.tag, str)
    ]


@pytest.mark.parametrize("canary", CANARIES)
def test_security_36_nothing_in_a_text_or_a_value_becomes_a_tag_or_a_foreign_link(canary: str) -> None:
    body = (
        f"---\ntitle: {canary}\n---\n## {canary}\n{canary}\n\n{{operator}} and {canary}\n\n{{partners}}\n\n* {canary}\n"
    )
    filling = {"operator": canary, "partners": [[canary, canary, canary]]}
    [section] = read_body(body, filling).sections
    for element in parsed(section.html):
        tag, _space, attributes = element.partition(" ")
        assert tag in ("DOCUMENT_FRAGMENT", "p", "ul", "li", "a", "table", "thead", "tbody", "tr", "th", "td"), element
        assert set(re.findall(r"\('(\w+)', '", attributes)) <= {"href", "class", "scope"}, element
        for address in re.findall(r"\('href', '([^']*)'", attributes):
            assert re.match(r"https://evil\.example/x\.png$|/(?![/\\])", address), element


@given(st.text(max_size=80))
def test_security_36_a_value_is_shown_as_it_is(value: str) -> None:
    [section] = read_body("## One\nWe are {operator}.", {"operator": f"x{value}x"}).sections
    tree = html5lib.parseFragment(section.html, namespaceHTMLElements=False)
    shown = "".join(tree.itertext())
    cleaned = re.sub(r"[\x00-\x08\x0b-\x1f\x7f\ufffd\ud800-\udfff\r]", "", value)
    assert " ".join(re.sub(r"[\x00-\x1f\x7f\ufffd]", " ", shown).split()).startswith("We are x")
    assert {element.tag for element in tree.iter() if isinstance(element.tag, str)} <= {"DOCUMENT_FRAGMENT", "p", "a"}
    if cleaned == value and "@" not in value:
        assert " ".join(shown.split()) == " ".join(f"We are x{value}x.".split())
