"""Small is measured: webapp/ keeps to the limits that `make size` prints."""

from pathlib import Path

import pytest

from scripts.size import MOST_FUNCTION_LINES, ROOT, functions_of, python_files, too_large


@pytest.mark.parametrize(
    "path", list(python_files("webapp", "config.py", "wsgi.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_file_keeps_to_the_limits(path: Path) -> None:
    assert too_large(path) == []


def test_the_ruler_measures(tmp_path: Path) -> None:
    path = tmp_path / "measured.py"
    for count, beyond in ((MOST_FUNCTION_LINES - 1, 0), (MOST_FUNCTION_LINES, 1)):
        body = "\n\n".join(f"    x = {number}" for number in range(count))
        path.write_text(f'def long() -> None:\n    """Words\n    over lines."""\n{body}\n', "utf-8")

        assert [function.lines for function in functions_of(path)] == [count + 1]
        assert len(too_large(path)) == beyond
