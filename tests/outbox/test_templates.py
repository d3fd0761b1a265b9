"""Every template of a mail, whoever wrote it: complete, nothing fetched, nobody tracked, no address but our own."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "templates" / "emails"
FILES = sorted(FOLDER.glob("*"))
NAMES = sorted({path.name.split(".")[0] for path in FILES if not path.name.startswith("_")})
_FETCHED = {"img", "link", "script", "iframe", "video", "audio", "object", "embed", "picture", "source", "form", "base"}
_FETCHING = {"src", "srcset", "background", "poster", "action", "formaction", "data"}


def without_comments(source: str) -> str:
    return re.sub(r"\{#.*?#\}", "", source, flags=re.DOTALL)


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in _FETCHED:
            self.bad.append(tag)
        for name, value in attributes:
            if name in _FETCHING or name.startswith("on"):
                self.bad.append(f"{tag} {name}")
            if name == "href" and not re.match(r"\{\{ ?(base_url|address)\b", value or ""):
                self.bad.append(f"{tag} href={value}")


def wrong_with(source: str) -> list[str]:
    source = without_comments(source)
    elements = Elements()
    elements.feed(source)
    return [
        *elements.bad,
        *re.findall(r"(?i)(?:https?:)?//[a-z0-9{]\S*", re.sub(r"<!doctype[^>]*>", "", source)),
        *re.findall(r"(?i)url\s*\(|@import|\|\s*safe\b|autoescape|Markup|javascript:|data:", source),
        *re.findall(r"request\.|url_for|host_url", source),
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_security_41_51_a_mail_fetches_nothing_and_links_to_base_url_alone(path: Path) -> None:
    assert wrong_with(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        '<img src="{{ base_url }}/pixel.gif">',
        '<link rel="stylesheet" href="{{ base_url }}/x.css">',
        '<p style="background: url(x.png)">',
        '<a href="https://example.com/">',
        '<a href="{{ link }}">',
        "Open http://example.com/ now",
        '<a href="//example.com">',
        '<td background="x.png">',
        "{{ words|safe }}",
        "{{ request.host }}",
        "<a href=\"{{ url_for('x') }}\">",
        "<script>x()</script>",
        '<p onclick="x()">',
    ],
)
def test_the_rule_would_notice(source: str) -> None:
    assert wrong_with(source)


def test_a_part_of_a_mail_is_not_forgotten() -> None:
    for name in NAMES:
        kinds = {path.name.removeprefix(name) for path in FOLDER.glob(f"{name}.*")}
        assert kinds == {".subject.txt", ".txt", ".html"}, name


def test_both_parts_stand_in_the_frame_and_the_subject_is_one_line() -> None:
    for name in NAMES:
        assert '{% extends "emails/_layout.txt" %}' in (FOLDER / f"{name}.txt").read_text("utf-8"), name
        assert '{% extends "emails/_layout.html" %}' in (FOLDER / f"{name}.html").read_text("utf-8"), name
        subject = without_comments((FOLDER / f"{name}.subject.txt").read_text("utf-8"))
        assert len(subject.strip().splitlines()) == 1, name


def test_every_frame_says_who_sends_it_and_where_privacy_is() -> None:
    for name in ("_layout.txt", "_layout.html"):
        source = (FOLDER / name).read_text("utf-8")
        assert "Callbook, " in source
        assert "{{ base_url }}/privacy" in source
        assert "{{ base_url }}/security" in source
