"""Reads a policy's text: Markdown with a title in its front matter and a section for each `##`. Pure.

A section may begin with a line `<!-- promises: key, key -->`, which names the promises that are shown beside it. Words
in braces stand for values: `{operator}` in a sentence; `{partners}`, alone in its paragraph, for a table. What is given
for them is never read as Markdown, and a value that is missing shows as a gap.

Called by publishing.py and the pages, for the text that came with the code and for the frozen one of a version alike.
"""

import re
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
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
    """A heading ("h2"), paragraph ("p"), point of a list ("li") or row of a table ("tr") in plain words."""

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
        return [block for section in self.sections for block in (Block("h2", section.title), *section.blocks)]


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


def has_value(filling: Filling, name: str) -> bool:
    return bool(filling.get(name))


def _read_section(title: str, words: str, filling: Filling) -> Section:
    found = _PROMISES.search(words)
    promises = tuple(key.strip() for key in found[1].split(",")) if found else ()
    tokens = _markdown().parse(_PROMISES.sub("", words))
    html = _markdown().renderer.render(tokens, _markdown().options, {"filling": filling})
    clean = nh3.clean(
        html, tags=_TAGS, attributes=_ATTRIBUTES, attribute_filter=_only_plain_links, link_rel=None, strip_comments=True
    )
    anchor = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return Section(title, anchor, Markup(clean), promises, tuple(_list_blocks(tokens, filling)))  # noqa: S704 - cleaned


def _only_plain_links(_tag: str, attribute: str, value: str) -> str | None:
    return value if attribute != "href" or _LINK.match(value) else None


# ------------------------------------------------------------------------------------------- Markdown, and what we add


@cache
def _markdown() -> MarkdownIt:
    """Paragraphs, lists, emphasis and links; no HTML, no images, no headings but ours."""
    markdown = MarkdownIt("zero").enable(_RULES)
    markdown.inline.ruler.before("escape", "placeholder", _find_placeholder)
    markdown.add_render_rule("placeholder", _render_placeholder)
    markdown.add_render_rule("table_of", _render_table)
    markdown.core.ruler.push("table_of", _find_tables)
    return markdown


def _find_placeholder(state: StateInline, silent: bool) -> bool:
    found = _PLACEHOLDER.match(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        state.push("placeholder", "", 0).content = found[1]
    state.pos = found.end()
    return True


def _find_tables(state: Any) -> None:
    """A paragraph that is one placeholder alone becomes a block of its own: a table stands in no paragraph."""
    tokens: list[Token] = []
    for token in state.tokens:
        children = token.children or []
        if (
            token.type == "inline"
            and [child.type for child in children] == ["placeholder"]
            and tokens[-1].type == "paragraph_open"
        ):
            tokens[-1] = Token("table_of", "", 0, content=children[0].content)
        elif token.type != "paragraph_close" or tokens[-1].type != "table_of":
            tokens.append(token)
    state.tokens = tokens


def _render_placeholder(
    _self: RendererHTML, tokens: Sequence[Token], place: int, _options: Any, env: MutableMapping[str, Any]
) -> str:
    name = tokens[place].content
    value = env["filling"].get(name)
    if not value:
        return _gap(name)
    if not isinstance(value, str):
        return escape(", ".join(" ".join(row) for row in value))
    return f'<a href="mailto:{escape(value)}">{escape(value)}</a>' if _MAIL.fullmatch(value) else escape(value)


def _render_table(
    _self: RendererHTML, tokens: Sequence[Token], place: int, _options: Any, env: MutableMapping[str, Any]
) -> str:
    name = tokens[place].content
    rows = env["filling"].get(name)
    if not rows:
        return f"<p>{_gap(name)}</p>"
    if isinstance(rows, str):
        return f"<p>{escape(rows)}</p>"
    head = "".join(f'<th scope="col">{column}</th>' for column in COLUMNS)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'


def _gap(name: str) -> str:
    return f'<span class="gap">[{escape(name.replace("_", " "))}: still to be filled in]</span>'


# --------------------------------------------------------------------------------------------------- in plain words


def _list_blocks(tokens: Sequence[Token], filling: Filling) -> Iterator[Block]:
    depth = 0
    for token in tokens:
        depth += {"list_item_open": 1, "list_item_close": -1}.get(token.type, 0)
        if token.type == "inline":
            yield Block("li" if depth else "p", " ".join(_words(token.children or [], filling).split()))
        elif token.type == "table_of":
            rows = filling.get(token.content) or [[_gap_words(token.content)]]
            yield from (Block("tr", " · ".join(row)) for row in ([[rows]] if isinstance(rows, str) else rows))


def _words(children: Sequence[Token], filling: Filling) -> str:
    return "".join(_word(child, filling) for child in children)


def _word(child: Token, filling: Filling) -> str:
    if child.type == "placeholder":
        value = filling.get(child.content)
        return value if isinstance(value, str) and value else _gap_words(child.content)
    return " " if child.type in ("softbreak", "hardbreak") else child.content


def _gap_words(name: str) -> str:
    return f"[{name.replace('_', ' ')}]"
