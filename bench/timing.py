"""Stop-watches. Wall time beside the time that this process had a processor for: the machine may be shared."""

import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Watch:
    """Adds up stretches of time, in seconds."""

    wall: float = 0.0
    cpu: float = 0.0
    _began: tuple[float, float] = field(default=(0.0, 0.0), repr=False)

    def start(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        self.wall += time.perf_counter() - self._began[0]
        self.cpu += time.process_time() - self._began[1]

    def __enter__(self) -> "Watch":
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()


@dataclass
class Runs:
    """What several runs of one thing took."""

    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)

    @property
    def wall(self) -> float:
        return statistics.median(self.walls)

    @property
    def cpu(self) -> float:
        return statistics.median(self.cpus)

    @property
    def worst(self) -> float:
        return max(self.walls)


def interleave(rounds: int, *things: Callable[[], Any]) -> list[Runs]:
    """Run each thing once a round, by turns, so that they share good and bad moments; one round to warm up."""
    runs = [Runs() for _ in things]
    for turn in range(rounds + 1):
        for thing, done in zip(things, runs, strict=True):
            with Watch() as watch:
                thing()
            if turn:
                done.walls.append(watch.wall)
                done.cpus.append(watch.cpu)
    return runs


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that so many percent of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def peak_memory() -> int:
    """The most bytes of memory that this process ever had. (ru_maxrss would also tell of whoever started it.)"""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this Linux does not tell VmHWM")


def resident_memory(pid: int) -> int:
    """Bytes of memory that a process has at the moment."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this Linux does not tell VmRSS")


def processor_seconds(pid: int) -> float:
    """For how long a process has had a processor in all its life."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
