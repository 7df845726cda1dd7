"""Processes to kill: a server that has loaded everything forks one for each line it reads.

A line is JSON: `call`, the name of a function below, and its arguments. The server answers with the
process's number at once, and with its exit status when it has ended.
"""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import skimage.metrics  # noqa: F401  (here once, rather than in every process)

import pix2pix_ms  # noqa: F401  (before mindspore: it prepares the process)
from pix2pix_ms.cli.commands import main as command
from pix2pix_ms.config.models import preset
from pix2pix_ms.pix2pix.step import Losses, Pix2Pix
from pix2pix_ms.pix2pix.task import PairsTask, training_data
from pix2pix_ms.training import checkpoints, page
from pix2pix_ms.training.epochs import train
from tests.runs import blank

STEP = Pix2Pix.train_step
PAUSES: dict[int, float] = {}  # seconds, by step


def cli(
    words: list[str], largest: int | None, pauses: dict[str, float], terminal: bool, slow: bool
) -> None:
    """Run the command as `Children.command` has it."""
    PAUSES.update({int(step): seconds for step, seconds in pauses.items()})
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    if terminal:
        os.dup2(os.openpty()[1], 0)
    if slow:
        slow_down()
    PairsTask.sample_grid = PairsTask.loss_curves = blank  # type: ignore[assignment, method-assign]
    page.plot = lambda *_: ""
    Pix2Pix.train_step = telling  # type: ignore[method-assign]
    sys.argv = ["pix2pix-ms", *words]
    command()


def slow_down() -> None:
    """Write checkpoints piece by piece, and wait before and after each is renamed."""
    save, replace = checkpoints.ms.save_checkpoint, Path.replace

    def slow_save(rows: object, name: str, **options: Any) -> None:
        save(rows, name, **options)
        file = Path(name)
        content = file.read_bytes()
        file.chmod(0o600)
        with file.open("wb", buffering=0) as stream:
            for start in range(0, len(content), 1 << 16):
                stream.write(content[start : start + (1 << 16)])
                time.sleep(0.02)

    def slow_replace(source: Path, target: Path) -> Path:
        wait = 0.1 * (source.suffix == checkpoints.SUFFIX)
        time.sleep(wait)
        replaced = replace(source, target)
        time.sleep(wait)
        return replaced

    checkpoints.ms.save_checkpoint = slow_save
    Path.replace = slow_replace  # type: ignore[method-assign, assignment]


def long(folder: str, measured: str, **settings: Any) -> None:
    """Train as long as the settings say, and measure each step, its time by a known work beside."""
    config = preset("quick", **settings)
    rows: list[tuple[float, int, int]] = []
    beside = np.ones((300, 300), np.float32)

    def timed(model: Pix2Pix, *batch: Any) -> Losses:
        began = time.perf_counter()
        losses = STEP(model, *batch)
        done = time.perf_counter()
        for _ in range(4):
            beside @ beside  # what other processes slow down as well
        known = time.perf_counter() - done
        resident = int(Path("/proc/self/statm").read_text().split()[1])
        opened = len(list(Path("/proc/self/fd").iterdir()))
        rows.append(((done - began) / known, resident, opened))
        return losses

    Pix2Pix.train_step = timed  # type: ignore[method-assign, assignment]
    records = PairsTask.records(None, Path(folder), config, False)
    train(config, training_data(records, config.seed), Path(folder), report=lambda _: None)
    Path(measured).write_text(json.dumps(rows))


def telling(model: Pix2Pix, *batch: Any) -> Losses:
    """Take a step and say so, for those who wait for it."""
    losses = STEP(model, *batch)
    print("step", model.step, flush=True)
    time.sleep(PAUSES.get(model.step, 0))
    return losses


def main() -> None:
    """Fork and wait, one process at a time."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which `nohup make test` has set aside
    for line in sys.stdin:
        wanted = json.loads(line)
        call = {"cli": cli, "long": long}[wanted.pop("call")]
        output = wanted.pop("output")
        if (child := os.fork()) == 0:
            opened = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(opened, 1)
            os.dup2(opened, 2)
            call(**wanted)
            sys.stdout.flush()
            os._exit(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
