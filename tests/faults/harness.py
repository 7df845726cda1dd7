"""What the tests of faults share: how many cases, processes to kill, workers that may die."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.runs import TINY, environment, options

FULL = os.environ.get("FAULTS") == "full"
PAIRS = 12  # in the record that the smallest training reads


def count(few: int, full: int) -> int:
    """Return how many cases to try: a few with all the tests, the full number with `test-full`."""
    return full if FULL else few


def training(run: Path, records: Path, *more: str, **changes: Any) -> list[str | Path]:
    """Return the words of a tiny training."""
    return ["train", *options(TINY | changes), "--data", records, "--out", run, *more]


class Child:
    """A process of the server's; `status()` waits for its end."""

    def __init__(self, server: subprocess.Popen[str], output: Path) -> None:
        assert server.stdout
        self.server, self.output = server, output
        self.pid = int(server.stdout.readline())
        self.ended: int | None = None

    def status(self) -> int:
        """Return its exit status, negative where a signal ended it."""
        if self.ended is None:
            assert self.server.stdout
            self.ended = int(self.server.stdout.readline())
        return self.ended

    def is_running(self) -> bool:
        """Tell whether it has not ended; one that is not waited for yet is a zombie."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] != "Z"

    def wait_for(self, step: int) -> None:
        """Wait until it has taken that step, or ended."""
        wait_until(self, lambda: f"step {step}\n" in self.said())

    def failed(self) -> str:
        """Return the error of a process that failed; nothing else was said after the data."""
        assert self.status() == 1, self.said()
        *before, line = self.said().splitlines()
        assert "Traceback" not in self.said()
        assert line.startswith("error: ")
        assert all(each.startswith(("CPU, ", "10 pairs", "epoch ", "step ")) for each in before)
        return line

    def kill(self, number: int) -> int:
        """Send it a signal and return its exit status."""
        os.kill(self.pid, number)
        return self.status()

    def said(self) -> str:
        """Return what it has printed."""
        return self.output.read_text()


class Children:
    """Starts processes that train; see children.py."""

    def __init__(self, server: subprocess.Popen[str], folder: Path) -> None:
        self.server, self.folder = server, folder
        self.latest: Child | None = None

    def start(self, call: str, **arguments: Any) -> Child:
        """Start a process."""
        assert self.server.stdin
        if self.latest and self.latest.ended is None:  # left behind by a test that failed
            self.latest.kill(signal.SIGKILL)
        output = self.folder / "said.txt"
        output.write_text("")  # what the one before said is not this one's
        line = {"call": call, "output": str(output), **arguments}
        self.server.stdin.write(json.dumps(line) + "\n")
        self.server.stdin.flush()
        self.latest = Child(self.server, output)
        return self.latest

    def command(
        self,
        *words: str | Path,
        largest: int | None = None,
        pauses: dict[int, float] | None = None,
        terminal: bool = False,
        slow: bool = False,
    ) -> Child:
        """Start `pix2pix-ms` with these words.

        Args:
            largest: how many bytes a file may have.
            pauses: seconds that a training waits within its steps.
            terminal: its standard input is one.
            slow: checkpoints are written piece by piece, with a pause before each is renamed.
        """
        arguments = {"largest": largest, "pauses": pauses or {}, "terminal": terminal, "slow": slow}
        return self.start("cli", words=[str(word) for word in words], **arguments)


@contextmanager
def children(folder: Path) -> Iterator[Children]:
    """Start the server, and end it."""
    program = [sys.executable, str(Path(__file__).with_name("children.py"))]
    with subprocess.Popen(
        program, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    ) as server:
        yield Children(server, folder)
        assert server.stdin
        server.stdin.close()
        server.wait(30)


def wait_until(child: Child, moment: Callable[[], bool], limit: float = 120) -> None:
    """Wait for a moment in the life of a process, or its end."""
    until = time.monotonic() + limit
    while child.is_running() and not moment():
        assert time.monotonic() < until, child.said()
        time.sleep(0.005)
