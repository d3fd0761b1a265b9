"""What changed from one version to another, word by word, as people read it. Pure; called by the page of a difference.

Paragraphs are matched first, by how much they have in common; then words within two that belong together. What stayed
as it was is folded away, but for the heading of the section in which something changed.
"""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from webapp.policies.text import Block

#: Two paragraphs with less in common than this are two paragraphs: one went, one came.
_ALIKE = 0.4


@dataclass(frozen=True)
class Piece:
    """Words that stayed (""), came ("ins") or went ("del")."""

    kind: str
    words: str


@dataclass(frozen=True)
class Changed:
    """A paragraph in which something changed, or the heading above one."""

    kind: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Folded:
    """Paragraphs that are as they were."""

    blocks: tuple[Block, ...]


Difference = list[Changed | Folded]


def compare(before: Sequence[Block], after: Sequence[Block]) -> Difference:
    """In the order of `after`; what went stands where it was. Empty when the two are the same."""
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    steps = matcher.get_opcodes()
    found: Difference = []
    for place, (step, a, b, c, d) in enumerate(steps):
        if step == "equal":
            found += _fold(after[c:d], is_last=place == len(steps) - 1)
        else:
            found += _pair(before[a:b], after[c:d])
    return found if any(isinstance(each, Changed) for each in found) else []


def _fold(blocks: Sequence[Block], *, is_last: bool) -> Iterator[Changed | Folded]:
    """The last heading of them stays to be seen where something changed beneath it."""
    headings = [place for place, block in enumerate(blocks) if block.kind == "h2"]
    if is_last or not headings:
        yield from [Folded(tuple(blocks))] if blocks else []
        return
    place = headings[-1]
    yield from [Folded(tuple(blocks[:place]))] if place else []
    yield Changed("h2", (Piece("", blocks[place].words),))
    yield from [Folded(tuple(blocks[place + 1 :]))] if blocks[place + 1 :] else []


def _pair(before: Sequence[Block], after: Sequence[Block]) -> Iterator[Changed]:
    """Which became which, in order, so that together they have most in common."""
    best = _score(before, after)
    old, new = 0, 0
    while old < len(before) or new < len(after):
        alike = _alike(before[old], after[new]) if old < len(before) and new < len(after) else 0.0
        if alike and best[old][new] == alike + best[old + 1][new + 1]:
            yield Changed(after[new].kind, tuple(compare_words(before[old].words, after[new].words)))
            old, new = old + 1, new + 1
        elif old < len(before) and best[old][new] == best[old + 1][new]:
            yield Changed(before[old].kind, (Piece("del", before[old].words),))
            old += 1
        else:
            yield Changed(after[new].kind, (Piece("ins", after[new].words),))
            new += 1


def _score(before: Sequence[Block], after: Sequence[Block]) -> list[list[float]]:
    """[i][j]: the most that before[i:] and after[j:] have in common."""
    best = [[0.0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for old in reversed(range(len(before))):
        for new in reversed(range(len(after))):
            alike = _alike(before[old], after[new])
            together = alike + best[old + 1][new + 1] if alike else 0.0
            best[old][new] = max(together, best[old + 1][new], best[old][new + 1])
    return best


def _alike(before: Block, after: Block) -> float:
    """0: they are no two states of one paragraph."""
    if before.kind != after.kind:
        return 0.0
    share = difflib.SequenceMatcher(None, before.words.split(), after.words.split(), autojunk=False).ratio()
    return share if share >= _ALIKE else 0.0


def compare_words(before: str, after: str) -> Iterator[Piece]:
    """The words of both, in order."""
    old, new = before.split(), after.split()
    for step, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if step == "equal":
            yield Piece("", " ".join(new[c:d]))
            continue
        if old[a:b]:
            yield Piece("del", " ".join(old[a:b]))
        if new[c:d]:
            yield Piece("ins", " ".join(new[c:d]))
