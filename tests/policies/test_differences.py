"""What changed, word by word."""

from hypothesis import given
from hypothesis import strategies as st

from webapp.policies.differences import Changed, Folded, Piece, compare, compare_words
from webapp.policies.text import Block


def p(words: str) -> Block:
    return Block("p", words)


def test_words_not_lines() -> None:
    found = list(compare_words("We keep it for seven days.", "We keep all of it for nine days."))
    assert found == [
        Piece("", "We keep"),
        Piece("ins", "all of"),
        Piece("", "it for"),
        Piece("del", "seven"),
        Piece("ins", "nine"),
        Piece("", "days."),
    ]


def test_what_stayed_is_folded_but_for_the_heading_above_a_change() -> None:
    head = [Block("h2", "First"), p("one two three"), Block("h2", "Second"), p("four five six")]
    found = compare([*head, p("seven eight nine ten")], [*head, p("seven eight nine eleven")])
    assert [type(each) for each in found] == [Folded, Changed, Folded, Changed]
    assert isinstance(found[0], Folded) and found[0].blocks == tuple(head[:2])
    assert isinstance(found[1], Changed) and found[1].pieces == (Piece("", "Second"),)
    assert isinstance(found[3], Changed)
    assert found[3].pieces[-2:] == (Piece("del", "ten"), Piece("ins", "eleven"))


def test_the_same_twice_is_no_difference() -> None:
    assert compare([p("a b c")], [p("a b c")]) == []


def test_a_paragraph_that_came_and_one_that_went_are_told_apart() -> None:
    found = compare(
        [p("the cat sat on the mat today"), p("bananas ripen slowly")],
        [p("wholly other words stand here now"), p("the cat sat on the mat yesterday")],
    )
    kinds = [tuple(piece.kind for piece in each.pieces) for each in found if isinstance(each, Changed)]
    assert kinds == [("ins",), ("", "del", "ins"), ("del",)]


def test_a_heading_never_becomes_a_paragraph() -> None:
    found = compare([Block("h2", "one two three")], [p("one two three four")])
    assert [each.kind for each in found] == ["h2", "p"]


WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=6).map(" ".join)
BLOCKS = st.lists(st.builds(Block, st.sampled_from(["h2", "p", "li"]), WORDS), max_size=6)


@given(BLOCKS, BLOCKS)
def test_both_versions_can_be_read_off_it(before: list[Block], after: list[Block]) -> None:
    found = compare(before, after)
    if before == after:
        assert found == []
        return

    def read(left_out: str) -> list[str]:
        lines: list[str] = []
        for part in found:
            if isinstance(part, Folded):
                lines += [block.words for block in part.blocks]
            else:
                lines.append(" ".join(piece.words for piece in part.pieces if piece.kind != left_out).strip())
        return [line for line in lines if line]

    assert read("ins") == [block.words for block in before if block.words]
    assert read("del") == [block.words for block in after if block.words]
