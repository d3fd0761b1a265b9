"""Writes the demo firm's call-record files: the head office's Asterisk Master.csv and the cloud trunk's FreeSWITCH CSV.

Called by the demo command at every start, or by hand: `python -m demo.write_call_records DIRECTORY`. A call stands in
the interval in which it ended, with all its rows; the rows of an interval are the same whenever they are written. Only
the filler, the call that makes a quiet hour end minutes ago, depends on when one asks.
"""

import argparse
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from demo import asterisk_rows, freeswitch_rows
from demo.day_plan import LONDON, cloud_trunk_day, filler_call, head_office_day, midnight, utc_seconds
from demo.planned_call import PlannedCall

MASTER_FILE = "head-office-Master.csv"
CLOUD_FILE = "cloud-trunk-Master.csv"
HISTORY_MONTHS = 13
_RECENT_SECONDS = 600

_Plan = Callable[[date], Iterator[PlannedCall]]
_LinesOf = Callable[[PlannedCall], tuple[int, list[str]]]


def first_instant(until: datetime) -> datetime:
    """Where the demo's history begins: midnight in London, thirteen months before."""
    day = until.astimezone(LONDON).date()
    year, month = divmod(day.year * 12 + day.month - 1 - HISTORY_MONTHS, 12)
    return datetime.fromtimestamp(midnight(date(year, month + 1, min(day.day, 28))), UTC)


def _calls_between(plan: _Plan, lines_of: _LinesOf, since: int, until: int) -> Iterator[tuple[int, int, list[str]]]:
    """End, start and lines of every planned call with since <= end < until, in the order of their end."""
    found = []
    day = datetime.fromtimestamp(since, LONDON).date() - timedelta(days=1)  # a call may end after its midnight
    last = datetime.fromtimestamp(until, LONDON).date()
    while day <= last:
        for call in plan(day):
            if call.started_at < until:
                end, lines = lines_of(call)
                if since <= end < until:
                    found.append((end, call.started_at, lines))
        day += timedelta(days=1)
    yield from sorted(found)


def master_lines_between(since: datetime, until: datetime) -> Iterator[str]:
    """The planned rows of the head office, without the filler; `since` and `until` are aware."""
    calls = _calls_between(head_office_day, asterisk_rows.lines_of, utc_seconds(since), utc_seconds(until))
    return (line for _, _, lines in calls for line in lines)


def cloud_lines_between(since: datetime, until: datetime) -> Iterator[str]:
    """The planned rows of the cloud trunk; `since` and `until` are aware."""
    calls = _calls_between(cloud_trunk_day, freeswitch_rows.lines_of, utc_seconds(since), utc_seconds(until))
    return (line for _, _, lines in calls for line in lines)


def filler_lines(until: datetime) -> list[str]:
    """The rows of one more call if the plan has none that began and ended in the ten minutes before `until`."""
    now = utc_seconds(until)
    recent = _calls_between(head_office_day, asterisk_rows.lines_of, now - _RECENT_SECONDS, now)
    if any(start >= now - _RECENT_SECONDS for _, start, _ in recent):
        return []
    return asterisk_rows.lines_of(filler_call(now))[1]


def _write(path: Path, lines: Iterator[str]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(line + "\n")
            count += 1
    return count


def write_master_csv(path: Path, since: datetime, until: datetime) -> int:
    """Writes the head office's rows of [since, until) and the filler, if one is needed; gives the number of rows.

    The filler ended at most four minutes before `until`, so before `since` where the interval is shorter than that.
    """

    def lines() -> Iterator[str]:
        yield from master_lines_between(since, until)
        yield from filler_lines(until)

    return _write(path, lines())


def write_cloud_csv(path: Path, since: datetime, until: datetime) -> int:
    """Writes the cloud trunk's rows of [since, until); gives the number of rows."""
    return _write(path, cloud_lines_between(since, until))


def _instant(text: str) -> datetime:
    """An ISO 8601 instant; without a zone it is UTC."""
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Write the call records of the demo firm, Harbour Ltd.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--until", type=_instant, default=datetime.now(UTC), help="ISO 8601, UTC; default: now")
    parser.add_argument("--since", type=_instant, help="ISO 8601, UTC; default: thirteen months before --until")
    options = parser.parse_args(arguments)
    since = options.since or first_instant(options.until)
    options.directory.mkdir(parents=True, exist_ok=True)
    for name, write in ((MASTER_FILE, write_master_csv), (CLOUD_FILE, write_cloud_csv)):
        path = options.directory / name
        print(f"{path}: {write(path, since, options.until)} rows")  # noqa: T201


if __name__ == "__main__":
    main()
