"""Holds the colours of static/callbook.css to WCAG 2.2 AA in both schemes, and its rules to the tokens."""

import re
from pathlib import Path

import pytest

STYLESHEET = Path(__file__).resolve().parents[2] / "static" / "callbook.css"

GROUNDS = ("ground", "paper", "sunk")
TEXT = [
    *[(ink, ground) for ink in ("ink", "ink-2", "ink-3", "accent", "bad") for ground in GROUNDS],
    *[
        (ink, soft)
        for ink in ("ink", "accent")
        for soft in ("accent-soft", "ok-soft", "warn-soft", "bad-soft", "info-soft")
    ],
    *[(word, f"{word}-soft") for word in ("ok", "warn", "bad", "info")],
    ("ink-2", "accent-soft"),  # the hint in a drop zone that a file is held over
    ("accent-ink", "accent"),
    # The console of staff has accents of its own.
    *[
        ("console-accent", ground)
        for ground in (*GROUNDS, "console-soft", "ok-soft", "warn-soft", "bad-soft", "info-soft")
    ],
    *[("console-ink", "console"), ("console-accent-ink", "console-accent"), ("ink", "console-soft")],
]
#: What is not text but must be made out (WCAG 1.4.11): edges of controls, focus, bars of charts, dots of steps.
SHAPES = [
    *[("focus", ground) for ground in GROUNDS],
    *[(shape, ground) for shape in ("edge", "ok", "info") for ground in ("ground", "paper")],
    *[(f"mark-{colour}", ground) for colour in range(1, 9) for ground in GROUNDS],
]


def palettes() -> dict[str, dict[str, str]]:
    """The colour tokens of the light and the dark scheme, as the first two :root blocks give them."""
    blocks = re.findall(r":root \{(.*?)\}", STYLESHEET.read_text(), re.DOTALL)
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks[:2])
    return {"light": light, "dark": dark}


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ratio(front: str, back: str) -> float:
    darker, lighter = sorted((luminance(front), luminance(back)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("pairs", "least"), [(TEXT, 4.5), (SHAPES, 3.0)], ids=["text", "shapes"])
def test_every_colour_stands_out_from_its_ground(scheme: str, pairs: list[tuple[str, str]], least: float) -> None:
    colours = palettes()[scheme]
    weak = {
        f"{front} on {back}": round(found, 2)
        for front, back in pairs
        if (found := ratio(colours[front], colours[back])) < least
    }
    assert not weak


def test_both_schemes_name_the_same_colours() -> None:
    assert palettes()["light"].keys() == palettes()["dark"].keys()


def test_components_use_tokens_only() -> None:
    after_tokens = STYLESHEET.read_text().split("/* ---- Elements", 1)[1]
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[;\s])", after_tokens)
    assert "url(" not in after_tokens  # images would need more than the content security policy allows
    assert "!important" not in after_tokens.replace("[hidden] { display: none !important; }", "")
