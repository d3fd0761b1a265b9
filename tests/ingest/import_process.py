"""Real processes for test_killed.py and test_two_processes.py: `python import_process.py`, driven by processes.py.

It loads the app once, then forks a child for each line of JSON that it reads, and answers with the child's process id;
a line {"wait": pid} is answered with how that child ended. A child imports, undoes, reads again, follows a change of
zone in small batches or stores destinations, and may be told to kill itself with SIGKILL before its `die_at`-th step in
the database.
"""

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.ingest.faults import Steps
from webapp.database.engine import Database
from webapp.destinations.actions import Described, add_destination
from webapp.destinations.matching import Pattern
from webapp.destinations.models import DestinationKind, PatternKind
from webapp.ingest import importer, reread, undo, zone_change
from webapp.tenancy.sessions import writing_session

NUMBER_KEY = bytes(range(32))


def work(order: dict[str, object]) -> None:
    importer._FIRST_BATCH = importer._LARGEST_BATCH = order["batch"]  # type: ignore[misc, assignment]
    undo._CHUNK = reread._CHUNK = order["batch"]  # type: ignore[misc, assignment]
    database = Database(str(order["url"]))
    if order["die_at"]:

        def die(steps: Steps) -> None:
            if steps.number == order["die_at"]:
                os.kill(os.getpid(), signal.SIGKILL)

        Steps(die).install(database)
    zone_change._PARTY_CALLS = order["batch"]  # type: ignore[assignment]
    if order["do"] == "follow zone":
        zone_change.follow_zone(database, order["organization_id"])  # type: ignore[arg-type]
        return
    if order["do"] == "name":
        name(database, order["organization_id"])  # type: ignore[arg-type]
        return
    do = {"import": importer.run_import, "undo": undo.undo_import, "read again": reread.read_again}[str(order["do"])]
    do(database, NUMBER_KEY, order["organization_id"], order["id"])  # type: ignore[operator]


def name(database: Database, organization_id: int) -> None:
    """Store ten zones, one after the other, each inside the one before: +44*, +442*, +4420* ..."""
    for length in range(2, 12):
        prefix = Pattern(PatternKind.PREFIX, "442079460000"[:length])
        with writing_session(database, organization_id) as session:
            add_destination(session, Described(DestinationKind.ZONE, f"+{prefix.digits}", (prefix,)), actor_id=None)
            session.commit()
        time.sleep(0.01)


def child(order: dict[str, object]) -> None:
    status = 1
    try:
        work(order)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            print(os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1]), flush=True)
            continue
        pid = os.fork()
        if not pid:
            child(order)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
