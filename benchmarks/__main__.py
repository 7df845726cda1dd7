"""Measure everything and write it down: `make bench`, or `python -m benchmarks --json FILE`.

Programs of one kind run as processes that take turns, a few calls each, so that whatever else the
machine does falls on all of them alike; compared are medians of the same run.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import limit, report
from benchmarks.child import ENVIRONMENT, PROGRAMS, RATES
from benchmarks.task import Task

WIDTH = 64
PAPER, CPU = Task(256, 1, WIDTH), Task(128, 1, WIDTH // 2)  # the presets of these names
TRAIN = (PAPER, Task(256, 4, WIDTH), CPU)
INFER = (PAPER, CPU)
GUARDED = Path(".venv-newest/bin/python")  # as `make bench-guard` makes it
TURNS = 6
CALLS = {"train": 3, "infer": 20}
IMPORTS = {
    "mindspore": "import mindspore",
    "pix2pix_ms": "import pix2pix_ms",
    "pix2pix_ms with networks": "import pix2pix_ms; pix2pix_ms.Pix2Pix",
}


@dataclass
class Measured:
    """What one program showed."""

    build: float
    first: float
    times: list[float] = field(default_factory=list)
    peak_megabytes: float = 0.0

    @property
    def seconds(self) -> float:
        """The median of its calls."""
        return median(self.times)


@contextmanager
def started(program: str, work: str, task: Task) -> Iterator[subprocess.Popen[str]]:
    """Run one program in a process of its own until the block ends."""
    numbers = [str(number) for number in (task.size, task.batch, task.width)]
    words = [sys.executable, "-m", "benchmarks.child", program, work, *numbers]
    child = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | ENVIRONMENT.get(program, {}),
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def heard(child: subprocess.Popen[str]) -> dict[str, Any]:
    """Return a child's next answer, whatever its libraries print in between."""
    assert child.stdout
    for line in child.stdout:
        if line.startswith("{"):
            answer: dict[str, Any] = json.loads(line)
            return answer
    raise ChildProcessError(f"it ended with status {child.wait()}")


def interleaved(work: str, task: Task, programs: Sequence[str], turns: int) -> dict[str, Measured]:
    """Let the programs take turns and return what each showed; one that fails is left out."""
    found: dict[str, Measured] = {}
    with ExitStack() as stack:
        children = {}
        for program in programs:
            child = stack.enter_context(started(program, work, task))
            try:
                found[program] = Measured(**heard(child))
                children[program] = child
            except ChildProcessError as error:
                print(f"  {program}: {error}; left out", flush=True)
        for turn in range(turns + 1):
            for program, child in children.items():
                assert child.stdin
                child.stdin.write(f"{CALLS[work]}\n")
                child.stdin.flush()
                answer = heard(child)
                if turn > 0:  # the first turn warms up
                    found[program].times += answer["times"]
                found[program].peak_megabytes = answer["peak_megabytes"]
    return found


def limit_of_a_step(rates: Mapping[str, Measured]) -> dict[str, float]:
    """Return the limit and what it is reckoned from: the copy and at least one product.

    Which library multiplies faster depends on the processor; the limit takes the better one.
    """
    copies = rates["copy"]
    products = [shown for name, shown in rates.items() if name != "copy"]
    gflops = limit.product_gflops(min(product.seconds for product in products))
    gigabytes = limit.copy_gigabytes(copies.seconds)
    best_gflops = limit.product_gflops(min(min(product.times) for product in products))
    best_gigabytes = limit.copy_gigabytes(min(copies.times))
    return {
        "product_gflops": gflops,
        "product_gflops_fastest": best_gflops,
        "copy_gigabytes": gigabytes,
        "limit_seconds": limit.seconds(PAPER, gflops, gigabytes),
        "limit_seconds_fastest": limit.seconds(PAPER, best_gflops, best_gigabytes),
    }


def import_seconds() -> dict[str, float]:
    """Return how long the imports take in a fresh process, medians of five, taking turns."""
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(5):
        for name, statement in IMPORTS.items():
            program = f"import time; t = time.perf_counter(); {statement}; "
            program += "print(time.perf_counter() - t)"
            words = [sys.executable, "-c", program]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            times[name].append(float(done.stdout.split()[-1]))
    return {name: median(values) for name, values in times.items()}


def pairs_per_second(turns: int = 5) -> float:
    """Return the pipeline's rate, the median of a few epochs in a process of its own."""
    program = "from benchmarks.pipeline import pairs_per_second as f; from statistics import median"
    program += f"; r = f(); r(); print(median(r() for _ in range({turns})))"
    words = [sys.executable, "-c", program]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def guard_ratio() -> dict[str, float]:
    """Return what the cap on oneDNN gains on MindSpore 2.10, where that is installed."""
    if not GUARDED.exists():
        return {}
    words = [str(GUARDED), "-m", "benchmarks.guard"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return {"guard_on_2_10": float(done.stdout.split()[-1])}


def measure(turns: int) -> dict[str, Any]:
    """Run the whole benchmark and return its numbers."""
    today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    numbers: dict[str, Any] = {
        "turns": turns,
        "date": today,
        "machine": report.machine(),
        "train": {},
        "infer": {},
    }
    for work, tasks in (("train", TRAIN), ("infer", INFER)):
        for task in tasks:
            name = f"{task.size} batch {task.batch}"
            print(f"{work} {name}", flush=True)
            rates = list(RATES) if (work, task) == ("train", PAPER) else []
            found = interleaved(work, task, [*PROGRAMS, *rates], turns)
            if rates:
                numbers |= limit_of_a_step(
                    {rate: found.pop(rate) for rate in rates if rate in found}
                )
            numbers[work][name] = {
                program: {
                    "seconds": shown.seconds,
                    "fastest": min(shown.times),
                    "build": shown.build,
                    "first": shown.first,
                    "peak_megabytes": shown.peak_megabytes,
                }
                for program, shown in found.items()
            }
    print("imports, pipeline, guard", flush=True)
    numbers["imports"] = import_seconds()
    numbers["pairs_per_second"] = pairs_per_second()
    numbers |= guard_ratio()
    return numbers


def main() -> None:
    """Measure, print the table, and write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    parser.add_argument("--turns", type=int, default=TURNS, help="turns of each program [6]")
    parser.add_argument("--table", type=Path, default=Path(__file__).with_name("RESULTS.md"))
    words = parser.parse_args()
    numbers = measure(words.turns)
    numbers |= report.ratios(numbers)
    if words.json:
        words.json.write_text(json.dumps(numbers, indent=2) + "\n")
    text = report.table(numbers)
    words.table.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
