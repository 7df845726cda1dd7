"""Damages files, and tells what became of each: fine, told, raised, died or hung."""

import json
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from tests.runs import environment

LONGEST = 10  # seconds on the clock: longer is a hang
START = 60  # seconds a slow machine needs to load MindSpore


class Outcome(NamedTuple):
    """What became of a case."""

    how: str
    what: str


class Judge:
    """Tries cases in a process of its own (see cases.py), started again when it dies or hangs."""

    def __enter__(self) -> Self:
        self.process = self.started()
        return self

    def __exit__(self, *_: TracebackType | type[BaseException] | BaseException | None) -> None:
        self.process.kill()
        self.process.communicate()

    def started(self) -> subprocess.Popen[str]:
        """Start the process, and try nothing to see that it has loaded."""
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("cases.py"))],
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=environment(),
        )  # fmt: skip
        assert self.outcome("nothing", longest=START).how == "raised"
        return self.process

    def outcome(self, *case: str | Path, longest: float = LONGEST) -> Outcome:
        """Try a case."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([str(word) for word in case]) + "\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], longest)[0]:
            self.process.kill()
            self.process.communicate()
            self.started()
            return Outcome("hung", f"more than {longest} s")
        if not (line := self.process.stdout.readline()):
            status = self.process.wait()
            self.process.communicate()
            self.started()
            return Outcome("died", f"status {status}")
        return Outcome(*json.loads(line))

    def check(self, case: tuple[str | Path, ...], files: list[Path], expected: str | None) -> str:
        """Fail unless a case ends in the expected result, or our own error naming one of the files.

        Returns:
            How it ended.
        """
        before = [file.read_bytes() for file in files]
        how, what = self.outcome(*case)
        assert how in ("fine", "told"), f"{case}: {how}: {what}"
        if how == "told":
            assert "\n" not in what, what
            assert any(str(file) in what for file in files), what
        elif expected is not None:
            assert what == expected, f"{case}: another result, in silence"
        assert [file.read_bytes() for file in files] == before, f"{case}: a file was changed"
        return how


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Damage a file: bits, bytes, a stretch, its length, half of the time near its beginning."""
    changed = bytearray(content)
    size = len(changed)
    reach = min(size, 4096) if rng.random() < 0.5 else size
    start = int(rng.integers(reach))
    length = int(min(rng.integers(1, 512), size - start))
    match int(rng.integers(6)):
        case 0:  # single bits
            for place in rng.integers(reach, size=rng.integers(1, 20)):
                changed[place] ^= 1 << int(rng.integers(8))
        case 1:  # other bytes in place of what is not empty
            full = np.flatnonzero(np.frombuffer(content[:reach], np.uint8))
            for place in rng.choice(full, 4) if len(full) else ():
                changed[place] = int(rng.integers(256))
        case 2:  # a stretch is lost
            changed[start : start + length] = bytes(length)
        case 3:  # cut short
            del changed[int(rng.integers(size)) :]
        case 4:  # a stretch comes twice
            changed[start:start] = changed[start : start + length]
        case 5:  # something behind
            changed += rng.bytes(length)
    return bytes(changed)
