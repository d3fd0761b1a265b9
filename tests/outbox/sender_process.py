"""Real senders for test_killed.py: `python sender_process.py DATABASE_URL SMTP_URL SECRET_KEY TEMPLATES`.

It loads the app once, then forks a sender for each line of JSON that it reads, waits for it, and answers with how that
one ended. {"die_at": n}: it kills itself with SIGKILL when the relay has taken its n-th mail, before that is committed.
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

from tests.conftest import make_settings
from webapp.database.engine import Database
from webapp.outbox import claims, rendering, sender


def send(url: str, smtp_url: str, secret_key: str, die_at: int) -> None:
    settings = replace(make_settings(Path()), smtp_url=smtp_url, mail_from="calls@example.com", secret_key=secret_key)
    mark_handed_over, taken = claims.mark_handed_over, 0

    def maybe_die(*arguments: object) -> bool:
        nonlocal taken
        taken += 1
        if taken == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return mark_handed_over(*arguments)  # type: ignore[arg-type]

    claims.mark_handed_over = maybe_die  # type: ignore[assignment]
    # A lease of no time: the next sender takes over at once what this one leaves.
    sender.send_due(Database(url), settings, lease=timedelta(0))


def main(url: str, smtp_url: str, secret_key: str, templates: str) -> None:
    rendering.TEMPLATES = Path(templates)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            status = 1
            try:
                send(url, smtp_url, secret_key, json.loads(line)["die_at"])
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
