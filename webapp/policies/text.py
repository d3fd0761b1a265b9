"""Reads a policy's text: Markdown with a title in its front matter and a section for each `##`. Pure.

A section may begin with a line `<!-- promises: key, key -->`, which names the promises that are shown beside it. Words
in braces stand for values: `{operator}` in a sentence; `{partners}`, alone in its paragraph, for a table. What is given
for them is never read as Markdown, and a value that is missing shows as a gap.

Called by publishing.py and the pages, for the text that came with the code and for the frozen one of a version alike.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup

from webapp.policies.models import Policy

#: What stands for the words in braces; a row of the table is a list of cells.
Filling = Mapping[str, str | Sequence[Sequence[str]]]

TEXTS = Path(__file__).resolve().parent / "texts"
#: The table that a value of rows is shown as.
COLUMNS = ("Partner", "Provides", "Where")
NOTHING: Filling = {}
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_PROMISES = re.compile(r"<!-- promises: ([a-z, -]+) -->\n")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_LINK = re.compile(r"/(?![/\\])|#|https://|mailto:")
_MAIL = re.compile(r"[^\s@<>\"]+@[^\s@<>\"]+")
_TAGS = {"p", "ul", "ol", "li", "strong", "em", "a", "br", "span", "table", "thead", "tbody", "tr", "th", "td"}
_ATTRIBUTES = {"a": {"href"}, "span": {"class"}, "th": {"scope"}, "table": {"class"}}
_RULES = ["list", "emphasis", "link", "escape", "newline", "balance_pairs", "fragments_join"]


@dataclass(frozen=True)
class Block:
    """The title ("h1"), a heading ("h2"), paragraph ("p"), point of a list ("li") or row of a table ("tr") in plain
    words; where a link leads stands behind its own.
    """

    kind: str
    words: str


@dataclass(frozen=True)
class Section:
    title: str
    anchor: str
    html: Markup
    promises: tuple[str, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class PolicyText:
    title: str
    sections: tuple[Section, ...]

    @property
    def blocks(self) -> list[Block]:
        sections = (block for section in self.sections for block in (Block("h2", section.title), *section.blocks))
        return [Block("h1", self.title), *sections]


@cache
def load_body(policy: Policy) -> str:
    """The text that came with this version of the code, not filled in."""
    return (TEXTS / f"{policy.word}.md").read_text("utf-8")


def read_text(policy: Policy, filling: Filling = NOTHING) -> PolicyText:
    """The text that came with this version of the code."""
    return read_body(load_body(policy), filling)


def read_body(body: str, filling: Filling) -> PolicyText:
    """Any text of a policy, a frozen one too."""
    front = _FRONT.match(body)
    head = dict(line.split(": ", 1) for line in front[1].splitlines() if ": " in line) if front else {}
    rest = body[front.end() :] if front else body
    parts = re.split(r"^## +(.+)$", rest, flags=re.MULTILINE)
    sections = tuple(
        _read_section(title.strip(), words, filling) for title, words in zip(*[iter(parts[1:])] * 2, strict=True)
    )
    return PolicyText(head.get("title", ""), sections)


def placeholders(body: str) -> set[str]:
    """The names of all values that a text wants."""
    return set(_PLACEHOLDER.findall(body))


def list_promise_keys(body: str) -> list[str]:
    """Of all promises that a text names, in its order."""
    return [key.strip() for named in _PROMISES.findall(body) for key in named.split(",")]


def _read_section(title: str, words: str, filling: Filling) -> Section:
    markdown = _markdown()
    tokens = list(_fill_blocks(markdown.parse(_PROMISES.sub("", words)), filling))
    html = markdown.renderer.render(tokens, markdown.options, {})
    clean = nh3.clean(
        html, tags=_TAGS, attributes=_ATTRIBUTES, attribute_filter=_only_plain_links, link_rel=None, strip_comments=True
    )
    anchor = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return Section(title, anchor, Markup(clean), tuple(list_promise_keys(words)), tuple(_list_blocks(tokens)))  # noqa: S704 - cleaned  # nosec B704


def _only_plain_links(_tag: str, attribute: str, value: str) -> str | None:
    return value if attribute != "href" or _LINK.match(value) else None


@cache
def _markdown() -> MarkdownIt:
    """Paragraphs, lists, emphasis and links; no HTML, no images, no headings but ours."""
    markdown = MarkdownIt("zero").enable(_RULES)
    markdown.inline.ruler.before("escape", "placeholder", _find_placeholder)
    return markdown


def _find_placeholder(state: StateInline, silent: bool) -> bool:
    found = _PLACEHOLDER.match(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        state.push("placeholder", "", 0).content = found[1]
    state.pos = found.end()
    return True


# ------------------------------------------------------------------- what is given for the words in braces, as tokens


def _fill_blocks(tokens: Sequence[Token], filling: Filling) -> Iterator[Token]:
    """A paragraph that is one value of rows becomes a table; every other value is words in its sentence."""
    rest = iter(enumerate(tokens))
    for place, token in rest:
        rows = _rows_alone(tokens[place : place + 3], filling)
        if rows is not None:
            yield from _table(rows)
            next(rest), next(rest)
            continue
        token.children = [filled for child in token.children or [] for filled in _fill(child, filling)]
        yield token


def _rows_alone(three: Sequence[Token], filling: Filling) -> Sequence[Sequence[str]] | None:
    """Of a paragraph (open, words, close) with nothing but the name of a value that has rows."""
    if [token.type for token in three] != ["paragraph_open", "inline", "paragraph_close"]:
        return None
    children = three[1].children or []
    rows = filling.get(children[0].content) if [child.type for child in children] == ["placeholder"] else None
    return None if rows is None or isinstance(rows, str) else rows


def _fill(child: Token, filling: Filling) -> Iterator[Token]:
    if child.type != "placeholder":
        yield child
        return
    value = filling.get(child.content)
    if not value or not isinstance(value, str):
        yield from _wrap("span", {"class": "gap"}, f"[{child.content.replace('_', ' ')}: still to be filled in]")
    elif _MAIL.fullmatch(value):
        yield from _wrap("a", {"href": f"mailto:{value}"}, value)
    else:
        yield Token("text", "", 0, content=value)


def _table(rows: Sequence[Sequence[str]]) -> Iterator[Token]:
    yield from _wrap("table", {"class": "plain"})
    yield from (*_wrap("thead"), *_wrap("tr"))
    for column in COLUMNS:
        yield from _wrap("th", {"scope": "col"}, column)
    yield from (_end("tr"), _end("thead"), *_wrap("tbody"))
    for row in rows:
        yield from _wrap("tr")
        for cell in row:
            yield from _wrap("td", {}, cell)
        yield _end("tr")
    yield from (_end("tbody"), _end("table"))


def _wrap(
    tag: str, attributes: dict[str, str | int | float] | None = None, words: str | None = None
) -> Iterator[Token]:
    """An element that begins; with words it ends too. The renderer escapes them."""
    yield Token(f"{tag}_open", tag, 1, attrs=attributes or {})
    if words is not None:
        yield from (Token("text", "", 0, content=words), _end(tag))


def _end(tag: str) -> Token:
    return Token(f"{tag}_close", tag, -1)


# ------------------------------------------------------------------------------------------------------ in plain words


def _list_blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    depth, cells = 0, []
    for token in tokens:
        depth += {"list_item_open": 1, "list_item_close": -1}.get(token.type, 0)
        if token.type == "inline":
            yield Block("li" if depth else "p", " ".join("".join(_list_words(token.children or [])).split()))
        elif token.type == "text":
            cells.append(token.content)
        elif token.type == "tr_close":
            yield Block("tr", " · ".join(cells))
            cells = []


def _list_words(children: Sequence[Token]) -> Iterator[str]:
    target = ""
    for child in children:
        if child.type == "link_open":
            target = f" ({child.attrGet('href')})"
        yield {"softbreak": " ", "link_close": target}.get(child.type, child.content)
