"""Real workers for test_announcing.py and bench/notices.py: `python worker_process.py DATABASE_URL SMTP_URL`.

It loads the app once, then forks a worker for each line of JSON that it reads, waits for it, and answers with how that
one ended. {"what": "tell", "die_at": n}: it does the jobs that are due, and kills itself with SIGKILL in the n-th
batch, before it is committed ("half") or after. {"what": "send", "die_at": n}: it sends what is due, and kills itself
when the relay has taken its n-th mail, before that is committed. 0: it lives.
"""

import json
import os
import signal
import sys
import traceback
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from config import Settings
from tests.conftest import make_settings
from webapp.database.engine import Database
from webapp.jobs.worker import Worker
from webapp.outbox import claims, sender
from webapp.policies import announcing, jobs

MANY = 1_000_000


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def tell(settings: Settings, die_at: int, half: bool) -> None:
    """`half`: in the middle of the transaction of a batch; else once it is committed."""
    announcing.MAILS_AT_ONCE = MANY
    batches, tell_batch, list_untold = 0, jobs.tell, jobs.list_untold

    def counted(*arguments: object) -> int:
        nonlocal batches
        done = tell_batch(*arguments)  # type: ignore[arg-type]
        batches += 1
        if half and batches == die_at:
            die()
        return done

    def looked(*arguments: object) -> object:
        if not half and die_at and batches >= die_at:
            die()
        return list_untold(*arguments)  # type: ignore[arg-type]

    jobs.tell, jobs.list_untold = counted, looked  # type: ignore[assignment]
    jobs.register_jobs()
    # A lease of no time: the next worker takes over at once what this one leaves.
    Worker(Database(settings.database_url), settings, lease=timedelta(0)).run_due()


def send(settings: Settings, die_at: int) -> None:
    sender.MOST_AN_HOUR = MANY
    mark_handed_over, taken = claims.mark_handed_over, 0

    def maybe_die(*arguments: object) -> bool:
        nonlocal taken
        taken += 1
        if taken == die_at:
            die()
        return mark_handed_over(*arguments)  # type: ignore[arg-type]

    claims.mark_handed_over = maybe_die  # type: ignore[assignment]
    sender.send_due(Database(settings.database_url), settings, lease=timedelta(0))


def main(url: str, smtp_url: str) -> None:
    settings = replace(make_settings(Path()), database_url=url, smtp_url=smtp_url, mail_from="calls@example.com")
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            status = 1
            try:
                if order["what"] == "tell":
                    tell(settings, order["die_at"], order.get("half", False))
                else:
                    send(settings, order["die_at"])
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
