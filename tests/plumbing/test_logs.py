"""Log lines: one object each, nothing personal, nothing forged."""

import json
import logging
import sys

import pytest

from tests.cast import Cast
from tests.client import PageCheckingClient
from webapp import logs


def formatted(record: logging.LogRecord) -> dict[str, object]:
    line = logs.JsonFormatter().format(record)
    assert "\n" not in line
    assert line.isascii()
    assert "\x1b" not in line
    found: dict[str, object] = json.loads(line)
    return found


def record_of(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("callbook.test", logging.INFO, __file__, 1, message, args, None)


@pytest.mark.parametrize("text", ["a\r\nb", '\n{"level": "forged"}', "\x1b[31mred", "\u2028\u0085\x00", '"}'])
def test_security_33_nothing_forges_a_line(text: str) -> None:
    assert formatted(record_of("said %s", text))["message"] == f"said {text}"


def test_security_33_what_a_browser_sends_stays_on_one_line(
    client: PageCheckingClient, cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    client.get("/no%0d%0asuch%1b[31m", headers={"User-Agent": 'x\ty "} {'})
    client.get("/sign-in?next=canary%0a")
    lines = [formatted(record) for record in caplog.records if record.name == "callbook.request"]
    assert [line["status"] for line in lines] == [404, 200]
    assert all(
        set(line) <= {"at", "level", "logger", "message", "method", "endpoint", "status", "ms"} for line in lines
    )


def test_security_32_an_exception_says_where_and_not_what() -> None:
    try:
        int("+44 2079460123")
    except ValueError:
        record = logging.LogRecord("callbook.test", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
    line = formatted(record)
    assert line["error"] == "ValueError"
    assert "test_security_32" in str(line["stack"])
    assert "2079460123" not in json.dumps(line)


def test_a_line_names_its_request(client: PageCheckingClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    caplog.handler.setFormatter(logs.JsonFormatter())
    answer = client.get("/no-such-page")
    line = json.loads(caplog.text.splitlines()[-1])
    assert f"<code>{line['request']}</code>" in answer.text


def test_everything_goes_to_standard_error_as_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    level = root.level
    try:
        logs.set_up()
        logging.getLogger("waitress").warning("Task queue depth is %d", 3)
        logs.event("sign_in.done", user_account_id=7)
    finally:
        root.setLevel(level)
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert first["message"] == "Task queue depth is 3"
    assert (second["message"], second["user_account_id"]) == ("sign_in.done", 7)
