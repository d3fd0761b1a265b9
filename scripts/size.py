"""Prints how large the code is, by package, beside the limits of the house: `make size`.

Lines of a file count as they stand; of a function from its `def` to its last line, docstring and blank lines left out.
tests/house/test_size.py holds webapp/ to the limits.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_LINES = 40  #: a smell
MOST_FUNCTION_LINES = 50  #: the law: a constructor with a field a line may pass the smell, nothing passes this
FILE_LINES = 400
VIEWS_LINES = 250
VIEWS_FUNCTIONS = 15
_FOLDERS = ("webapp", "config.py", "wsgi.py", "demo", "bench", "scripts", "tests")


@dataclass(frozen=True)
class Function:
    """`lines` without docstring and blank lines."""

    place: str
    name: str
    lines: int


def python_files(*folders: str) -> Iterator[Path]:
    """Every .py file under these, or itself."""
    for folder in folders:
        path = ROOT / folder
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def line_count(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def functions_of(path: Path) -> list[Function]:
    """Every function and method of a file; an inner one counts in its outer one too."""
    source = path.read_text("utf-8")
    lines = source.splitlines()
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            end = node.end_lineno or node.lineno
            first = body[0].lineno if body else end + 1
            header = range(node.lineno, node.body[0].lineno)
            inside = range(first, end + 1)
            count = sum(bool(lines[number - 1].strip()) for number in (*header, *inside))
            found.append(Function(f"{_shown(path)}:{node.lineno}", node.name, count))
    return found


def too_large(path: Path) -> list[str]:
    """What a file has beyond the limits; empty when it keeps to them."""
    functions, where = functions_of(path), _shown(path)
    found = [
        f"{f.place} {f.name}: {f.lines} lines, {MOST_FUNCTION_LINES} at most"
        for f in functions
        if f.lines > MOST_FUNCTION_LINES
    ]
    limit = VIEWS_LINES if path.name.endswith("views.py") else FILE_LINES
    if line_count(path) > limit:
        found.append(f"{where}: {line_count(path)} lines, {limit} at most")
    if path.name.endswith("views.py") and len(functions) > VIEWS_FUNCTIONS:
        found.append(f"{where}: {len(functions)} functions, {VIEWS_FUNCTIONS} at most")
    return found


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _package(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return "/".join(parts[:2]) if parts[0] == "webapp" and len(parts) > 2 else parts[0]


def _median(numbers: list[int]) -> int:
    return sorted(numbers)[len(numbers) // 2] if numbers else 0


def main() -> None:
    by_package: dict[str, list[Path]] = defaultdict(list)
    for path in python_files(*_FOLDERS):
        by_package[_package(path)].append(path)
    columns = ("files", "lines", "biggest", "functions", "median", "longest")
    print(f"{'package':<24}" + "".join(f"{word:>10}" for word in columns) + "  longest function")
    for package, paths in by_package.items():
        functions = [function for path in paths for function in functions_of(path)]
        sizes = [line_count(path) for path in paths]
        longest = max(functions, key=lambda function: function.lines, default=Function("", "", 0))
        counts = [function.lines for function in functions]
        figures = (len(paths), sum(sizes), max(sizes), len(functions), _median(counts), longest.lines)
        print(f"{package:<24}" + "".join(f"{figure:>10}" for figure in figures) + f"  {longest.name}")
    limits = f"function {FUNCTION_LINES} lines, file {FILE_LINES}, views {VIEWS_LINES} and {VIEWS_FUNCTIONS} functions"
    print(f"limits: {limits}")
    code = sum(line_count(path) for path in python_files("webapp", "config.py", "wsgi.py"))
    tests = sum(line_count(path) for path in python_files("tests"))
    print(f"webapp {code} lines, tests {tests}: {tests / code:.2f} lines of test for each line of code")
    beyond = [words for path in python_files("webapp", "config.py", "wsgi.py") for words in too_large(path)]
    for words in beyond:
        print(f"beyond the limits: {words}")
    sys.exit(1 if beyond else 0)


if __name__ == "__main__":
    main()
