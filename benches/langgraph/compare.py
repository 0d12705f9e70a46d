"""hitl beside LangGraph. Run by `benches/langgraph/run`; its argument is the program that runs the hitl side."""

import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import graphs
from langgraph.checkpoint.memory import InMemorySaver

ROUNDS = 15
NAMES = {
    "start": "start to suspended",
    "approve": "approve to done",
    "edit": "suspend, edit, resume",
    "step": "one step of a loop",
}


class Hitl:
    """The other side, which reads a line and answers with one."""

    def __init__(self, program, where):
        self.process = subprocess.Popen([program, where], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, measure, times):
        print(measure, times, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())["seconds"]

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def floor(directory):
    """Seconds to append four kilobytes to a file and to wait until they are on the disk."""
    path = pathlib.Path(directory, "floor")
    with open(path, "wb", buffering=0) as file:
        start = time.perf_counter()
        for _ in range(20):
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
        took = time.perf_counter() - start
    path.unlink()
    return took / 20


def seconds(value):
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e9:.0f} ns"


def row(what, theirs, ours, goal="", met=None):
    ratio = statistics.median(a / b for a, b in zip(theirs, ours))
    verdict = "" if met is None else "yes" if met(ratio, statistics.median(ours)) else "NO"
    theirs, ours = (seconds(statistics.median(times)) for times in (theirs, ours))
    print(f"{what:<44} {theirs:>10} {ours:>10} {ratio:>8.0f} x  {goal:<28} {verdict}")


def alternate(theirs, ours, measure, times_theirs, times_ours, floors=None, directory=None):
    a, b = [], []
    for _ in range(ROUNDS):
        if floors is not None:
            floors.append(floor(directory))
        for side, times, took in ((theirs, times_theirs, a), (ours, times_ours, b)):
            # The other side has had the caches, and one batch of ours is over in a millisecond: the first goes uncounted.
            side.run(measure, times)
            took.append(side.run(measure, times))
    return a, b


def once(command):
    """Seconds and megabytes of a process that starts one thread on a new file, and ends when its input does."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"suspended\n"
    took = time.perf_counter() - start
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    (kilobytes,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    process.communicate()
    assert process.returncode == 0
    return took, kilobytes / 1024


def main():
    program = sys.argv[1]
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("langgraph", "langgraph-checkpoint-sqlite")
    )
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    print(f"{versions}, Python {platform.python_version()}, rustc {rustc}")
    print(f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.2f}; medians of {ROUNDS} rounds")
    print(f"{'':<44} {'LangGraph':>10} {'hitl':>10} {'ratio':>10}  {'goal':<28} met")

    theirs, ours = graphs.LangGraph(InMemorySaver), Hitl(program, "memory")
    goals = {
        "start": ("500 x", lambda ratio, _: ratio >= 500),
        "approve": ("500 x", lambda ratio, _: ratio >= 500),
        "edit": ("< 5 µs", lambda _, ours: ours < 5e-6),
        "step": ("1,000 x and < 0.5 µs", lambda ratio, ours: ratio >= 1_000 and ours < 0.5e-6),
    }
    for measure, name in NAMES.items():
        times = (1, 2) if measure == "step" else (10, 100)
        row(f"{name}, in memory", *alternate(theirs, ours, measure, *times), *goals[measure])
    ours.end()

    with tempfile.TemporaryDirectory(dir=os.path.dirname(program)) as directory:
        saver = graphs.sqlite_saver(os.path.join(directory, "theirs.db"))
        theirs, ours = graphs.LangGraph(lambda: saver), Hitl(program, os.path.join(directory, "ours.db"))
        floors = []
        for measure, name in NAMES.items():
            times = (1, 1) if measure == "step" else (10, 20)
            row(f"{name}, on SQLite", *alternate(theirs, ours, measure, *times, floors, directory))
        ours.end()
        starts = ([], [])
        for number in range(ROUNDS):
            script = [sys.executable, graphs.__file__]
            starts[0].append(once([*script, os.path.join(directory, f"theirs-{number}.db")]))
            starts[1].append(once([program, "once", os.path.join(directory, f"ours-{number}.db")]))
        took = [[took for took, _ in side] for side in starts]
        row("process start to suspended, on a new file", *took, "< 15 ms", lambda _, ours: ours < 0.015)
        memory = [max(megabytes for _, megabytes in side) for side in starts]
        print(f"{'    memory at the most':<44} {memory[0]:>7.1f} MB {memory[1]:>7.1f} MB")
    floors = [took * 1e3 for took in floors]
    print(
        f"fdatasync of 4 KB in the same run: {statistics.median(floors):.3f} ms, "
        f"from {min(floors):.3f} to {max(floors):.3f}; load at the end {os.getloadavg()[0]:.2f}"
    )


if __name__ == "__main__":
    main()
