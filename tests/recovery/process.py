"""A process of its own for test_killed.py and test_memory.py: `python process.py WHAT WHERE [FILE]`.

It makes a backup, restores FILE or drills, of the settings in its environment. WHERE names the step at which it kills
itself with SIGKILL, "nowhere" for none; then it prints the peak of its memory in bytes.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from config import load_settings
from webapp.database import copies
from webapp.privacy.erasures import see_to_restored
from webapp.recovery import backing_up, drilling, folder, opening, restoring


def die(*_arguments: object) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_second_write() -> None:
    write, turns = backing_up.BackupWriter.write, iter((False, True))

    def step(writer: backing_up.BackupWriter, block: bytes) -> None:
        if next(turns, False):
            writer._sealing.finish()
            writer._file.flush()
            die()
        write(writer, block)

    backing_up.BackupWriter.write = step  # type: ignore[method-assign]


def at(place: object, name: str) -> Callable[[], None]:
    return lambda: setattr(place, name, die)


STEPS: dict[str, Callable[[], None]] = {
    "nowhere": lambda: None,
    "the copy is there": at(copies, "check_sqlite"),
    "the copy was checked": at(backing_up, "read_contents"),
    "in the middle of the file": die_at_second_write,
    "the file is whole": at(folder, "write_whole"),
    "its manifest is there": at(folder, "sync_folder"),
    "before it is counted": at(opening, "_count"),
    "before it is settled": at(restoring, "settle"),
    "before the drill looks": at(drilling, "compare"),
}


def main() -> None:
    what, where, *files = sys.argv[1:]
    settings = load_settings()
    restoring.after_restore.append(see_to_restored)  # as create_app() does
    STEPS[where]()
    if what == "backup":
        backing_up.make_backup(settings)
    elif what == "restore":
        restoring.restore(settings, Path(files[0]))
    else:
        assert drilling.drill(settings).different == []
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    main()
