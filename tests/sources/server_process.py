"""Real servers for test_pushes_killed.py: `python server_process.py`, driven by it, which can be killed at any moment.

It loads the app once, then forks a child for each line of JSON that it reads, and answers with the child's process id;
a line {"wait": pid} is answered with how that child ended. A child serves and works, as `make serve` does.
"""

import json
import os
import sys
import traceback
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.conftest import make_settings
from webapp import create_app
from webapp.database.engine import Database
from webapp.serving import serve


def child(order: dict[str, object]) -> None:
    status = 1
    try:
        settings = make_settings(Path(str(order["data_dir"])))
        settings = replace(settings, database_url=str(order["url"]), port=int(str(order["port"])))
        database = Database(settings.database_url)
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for the rest of this process
        serve(create_app(settings, database), database, settings, "")
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            print(os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1]), flush=True)
            continue
        pid = os.fork()
        if not pid:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            child(order)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
