"""Rules that hold everywhere, read off the code: what a feature may reach, who commits, what a template may hold."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEBAPP = ROOT / "webapp"
CODE = sorted(WEBAPP.rglob("*.py"))
#: Mails are not served by us: no policy holds there, and mail programs know no style sheet.
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.html") if path.parent.name != "emails")

#: May hold connections and Core: they are the database, the lock itself, or a short statement of their own.
BENEATH_THE_LOCK = (
    "database/",
    "tenancy/lock.py",
    "tenancy/many_rows.py",
    "tenancy/narrowing.py",
    "tenancy/prepared.py",
    "tenancy/row_security.py",
    "tenancy/sessions.py",
    "rate_limits.py",
    "tallies.py",
    "health.py",
)
#: May write in bulk, past the session lock: the writer of calls, stored files, and many rows of one change.
BULK_WRITERS = ("database/", "ingest/", "jobs/stored_files.py", "tenancy/many_rows.py", "privacy/erasing.py")
#: Short sessions of their own, which must land whatever becomes of the request.
# Counters, the browser session, a password hashed anew at sign-in, the day of the last use, the minute of a token's:
# each survives what the request does later. That somebody looked, which pages note that do nothing but read. What
# became of a mail: the relay has it whatever happens to the next one. What came of a backup, and a restored database
# that nobody is served from yet.
OWN_SHORT_SESSIONS = (
    "accounts/web_sessions.py",
    "accounts/sign_in.py",
    "accounts/passkey_sign_in.py",
    "rate_limits.py",
    "audit/viewing.py",
    "audit/service_chain.py",
    "outbox/claims.py",
    "tenancy/last_used.py",
    "sources/pbx_access.py",
    "sources/route_lookups.py",
    "audit/service_chain.py",
    "organizations/head_mails.py",
    "organizations/looks.py",
    "policies/checking.py",
    "staff/shell.py",
    "recovery/runs.py",
    "recovery/settling.py",
)
WHERE_COMMITS_STAND = (
    "views.py",
    "commands.py",
    "jobs.py",
    "contact_jobs.py",
    "place_jobs.py",
    "disclosure_jobs.py",
    "lost_factor_jobs.py",
    *("takeout_jobs.py", "takeout_writing.py"),  # a chunk of an archive a transaction, each finished file with its row
    *("retention_jobs.py", "erasing_jobs.py"),
    *("erasing_end.py", "forgetting.py"),  # each its own step of an erasure, which no request asks for
    "erasures.py",
    "cli.py",
    "run_demo.py",
    *OWN_SHORT_SESSIONS,
)

FORBIDDEN_CALLS = {
    "connection",
    "bulk_save_objects",
    "bulk_insert_mappings",
    "bulk_update_mappings",
    "exec_driver_sql",
    "from_statement",
    "executescript",
}
FORBIDDEN_IMPORTS = {"text", "insert", "literal_column", "table", "Table", "create_engine", "Engine", "Connection"}


def shown(path: Path) -> str:
    return str(path.relative_to(WEBAPP))


def is_any_of(path: Path, places: tuple[str, ...]) -> bool:
    return any(shown(path).startswith(place) or shown(path).endswith(f"/{place}") for place in places)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def calls(module: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            yield name, node


def imported(module: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


FEATURE_CODE = [path for path in CODE if not is_any_of(path, BENEATH_THE_LOCK)]


@pytest.mark.parametrize("path", FEATURE_CODE, ids=shown)
def test_security_23_features_stay_above_the_session_lock(path: Path) -> None:
    module = tree(path)
    called = {name for name, _ in calls(module)} & FORBIDDEN_CALLS
    taken = {name for source, name in imported(module) if source.startswith("sqlalchemy") and name in FORBIDDEN_IMPORTS}
    core = {node.attr for node in ast.walk(module) if isinstance(node, ast.Attribute) and node.attr == "__table__"}

    assert (called, taken, core) == (set(), set(), set())


@pytest.mark.parametrize("path", [path for path in CODE if not is_any_of(path, BULK_WRITERS)], ids=shown)
def test_only_the_writers_write_in_bulk(path: Path) -> None:
    assert "webapp.database.bulk" not in {source for source, _ in imported(tree(path))}


@pytest.mark.parametrize(
    "path", [path for path in CODE if path.name in ("queries.py", "actions.py", "people.py")], ids=shown
)
def test_queries_and_actions_never_commit_and_know_no_flask(path: Path) -> None:
    module = tree(path)

    assert not {name for name, _ in calls(module)} & {"commit", "rollback"}
    assert not {source for source, _ in imported(module) if source.split(".")[0].startswith("flask")}


@pytest.mark.parametrize(
    "path", [path for path in FEATURE_CODE if not is_any_of(path, ("ingest/", "jobs/"))], ids=shown
)
def test_commits_stand_where_a_request_job_or_command_ends(path: Path) -> None:
    if not path.name.endswith("views.py") and not is_any_of(path, WHERE_COMMITS_STAND):
        assert "commit" not in {name for name, _ in calls(tree(path))}


@pytest.mark.parametrize("path", CODE, ids=shown)
def test_imports_stand_at_the_top(path: Path) -> None:
    inside = [
        node.lineno
        for function in ast.walk(tree(path))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]

    assert inside == []


def test_no_drawers() -> None:
    assert not {path.stem for path in CODE} & {"utils", "helpers", "common", "constants", "manager", "managers", "misc"}


@pytest.mark.parametrize("path", [path for path in CODE if path.read_text("utf-8").strip()], ids=shown)
def test_a_module_says_what_is_here(path: Path) -> None:
    words = ast.get_docstring(tree(path))

    assert words
    assert len(words.splitlines()) <= 10


@pytest.mark.parametrize(
    "path", [path for path in CODE if shown(path) not in ("clock.py", "database/ids.py")], ids=shown
)
def test_the_time_is_asked_in_one_place(path: Path) -> None:
    source = path.read_text("utf-8")

    assert not re.findall(r"datetime\.(?:now|utcnow|today)\(|\btime\.time(?:_ns)?\(|date\.today\(", source)


def test_no_session_is_opened_past_the_lock() -> None:
    opened = {
        shown(path)
        for path in FEATURE_CODE
        for source, name in imported(tree(path))
        if source == "sqlalchemy.orm" and name in ("sessionmaker", "scoped_session")
    }
    assert opened == set()
    called = {
        shown(path) for path in FEATURE_CODE for name, _ in calls(tree(path)) if name in ("Session", "sessionmaker")
    }
    assert called == set()


# -------------------------------------------------------------------------------------------------------- templates

IN_TEMPLATES = {
    "inline style": r"\sstyle\s*=|<style\b",
    "inline script": r"<script\b(?![^>]*\ssrc=)",
    "event attribute": r"\son[a-z]+\s*=",
    "hx-on": r"hx-on\b",
    "javascript": r"\bjs:|javascript:",
    "hx- without data-": r"\s(?<!data-)hx-[a-z]",
    "raw HTML": r"\|\s*safe\b|\bautoescape\s+false|Markup\(",
    "foreign address": r"(?:src|href|action)\s*=\s*[\"'](?:https?:)?//",
}


@pytest.mark.parametrize("words", IN_TEMPLATES)
@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_security_35_a_template_has_nothing_that_our_csp_forbids(path: Path, words: str) -> None:
    source = re.sub(r"\{#.*?#\}", "", path.read_text("utf-8"), flags=re.DOTALL)

    assert re.findall(IN_TEMPLATES[words], source) == []


@pytest.mark.parametrize(
    ("words", "source"),
    [
        ("inline style", '<p style="color: red">'),
        ("inline script", "<script>alert(1)</script>"),
        ("event attribute", '<img src="x" onerror="x()">'),
        ("hx-on", '<p data-hx-on:click="x">'),
        ("javascript", '<p data-hx-vals="js:{}">'),
        ("hx- without data-", '<p hx-get="/">'),
        ("raw HTML", "{{ name|safe }}"),
        ("foreign address", '<script src="https://cdn.example/x.js">'),
    ],
)
def test_the_template_rules_would_notice(words: str, source: str) -> None:
    assert re.findall(IN_TEMPLATES[words], source)


def test_no_html_in_python() -> None:
    found = [
        shown(path)
        for path in CODE
        if re.search(r"[\"'f]</?(?:div|p|span|a|td|tr|li|ul|strong)\b", path.read_text("utf-8"))
    ]

    assert found == []


# ------------------------------------------------------------------------------------------------------------- tree

#: Spelt in two, so that this file does not name them.
OUTSIDE_NAMES = [
    "".join(parts)
    for parts in (
        ("pypi", ".org"),
        ("python", "hosted.org"),
        ("registry.npm", "js"),
        ("npm", "js.com"),
        ("unpkg", ".com"),
        ("/work/", "shared"),
    )
]


def kept_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_nothing_names_where_it_was_built_or_fetched() -> None:
    """Whoever installs Callbook sets their own index; and the tree stands alone."""
    found = []
    for path in kept_files():
        content = path.read_bytes()
        found += [f"{path.relative_to(ROOT)}: {name}" for name in OUTSIDE_NAMES if name.encode() in content]

    assert found == []


def test_no_secret_and_no_database_is_kept() -> None:
    names = [str(path.relative_to(ROOT)) for path in kept_files()]

    assert [name for name in names if re.search(r"\.sqlite|number_key$|\.env$|\.pem$|\.key$", name)] == []
