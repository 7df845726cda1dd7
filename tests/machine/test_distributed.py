"""Two ranks of msrun on this machine's CPU, and one process that they must equal."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import numpy as np
import pytest

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.pair_batches import TrainingData, epoch_data, pairs_of
from pix2pix_ms.machine import ranks as machine_ranks
from pix2pix_ms.machine.ranks import POLLS_EVERY, World, launched
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.epochs import train
from pix2pix_ms.training.run import Run
from tests.machine import ranks
from tests.runs import TINY, environment, options, output, refused, result

BIN = Path(sys.executable).parent
PAUSE = 0.1


def free_port() -> int:
    """Return a port nobody listens on, of those that no connection is given by chance meanwhile."""
    for port in random.SystemRandom().sample(range(20_000, 30_000), 100):
        with suppress(OSError), socket.socket() as listening:
            listening.bind(("127.0.0.1", port))
            return port
    raise AssertionError("expected a free port, found none among a hundred")


class Job:
    """msrun with two workers, one thread each, and what they print."""

    def __init__(self, folder: Path, script: Path | str, *words: object, silent: int = 60) -> None:
        """Start it; `silent` are the seconds after which a rank that says nothing is lost.

        MindSpore's own are 30. On a busy machine the scheduler may take longer to begin, and ranks
        that wait for it then end without a word.
        """
        folder.mkdir(parents=True)
        self.log, self.printed = folder / "log", folder / "printed"
        own = environment(
            OMP_NUM_THREADS="1",
            MS_NODE_TIMEOUT=str(silent),
            PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}",
        )
        numbers = ("--worker_num=2", "--local_worker_num=2", f"--master_port={free_port()}")
        with self.printed.open("wb") as file:
            self.process = subprocess.Popen(
                [BIN / "msrun", *numbers, f"--log_dir={self.log}", "--join=True", script,
                 *map(str, words)],
                stdout=file, stderr=subprocess.STDOUT, env=own, cwd=folder,
            )  # fmt: skip

    def text(self) -> str:
        """Return all that was printed so far."""
        logs = sorted(self.log.glob("*.log"))
        return "\n".join(file.read_text(errors="replace") for file in (self.printed, *logs))

    def status(self) -> int:
        """Wait and return msrun's exit status."""
        return self.process.wait(600)

    def succeeded(self) -> str:
        """Wait and return what was printed, if all went well."""
        assert self.status() == 0, self.text()
        return self.text()

    def wait_for(self, words: str) -> None:
        """Wait until the first rank has printed something."""
        log = self.log / "worker_0.log"
        while not (log.is_file() and words in log.read_text()):
            assert self.process.poll() is None, self.text()
            time.sleep(PAUSE)

    def worker(self, rank: int) -> int:
        """Return the process of a rank."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for entry in map(Path("/proc").joinpath, children.read_text().split()):
            words = (entry / "environ").read_bytes().split(b"\0")
            worker = {b"MS_ROLE=MS_WORKER", b"RANK_ID=%d" % rank} <= set(words)
            if worker and b"tail" not in (entry / "cmdline").read_bytes():
                return int(entry.name)
        raise AssertionError(f"no rank {rank} among the children of msrun")


def test_ranks_see_each_pair_once_an_epoch_as_one_process_sees_it(
    tiny: Config, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen(config: Config, rank: int = 0) -> list[np.ndarray]:
        monkeypatch.setattr(machine_ranks, "_world", World(rank, config.ranks))
        rows = pairs_of(epoch_data(data.train, config, 3), data.train)
        return [np.concatenate(pair, 1) for pair in rows]

    one = seen(replace(tiny, batch_size=4))
    both = [seen(replace(tiny, batch_size=2, ranks=2), rank) for rank in (0, 1)]
    assert len(one) == len(both[0]) == len(both[1]) == len(data.train) // 4
    for step, halves in zip(one, zip(*both, strict=True), strict=True):
        np.testing.assert_array_equal(step, np.concatenate(halves))
    assert len({pair.tobytes() for step in one for pair in step}) == 4 * len(one)


def test_without_msrun_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MS_ROLE", "MS_WORKER_NUM"):
        monkeypatch.delenv(name, raising=False)
    with refused("expected to be started by msrun, found no sign of it"):
        launched()
    monkeypatch.setenv("MS_ROLE", "MS_WORKER")
    monkeypatch.setenv("MS_WORKER_NUM", "1")
    with refused("expected 2 workers or more, found 1"):
        launched()


def test_others_wait_for_the_first_rank_until_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "progress"
    file.write_bytes(b".")
    monkeypatch.setattr(machine_ranks, "_world", World(1, 2, progress=file))
    machine_ranks.wait_for_first()  # it has been there
    waiting = Thread(target=lambda: [machine_ranks.wait_for_first() for _ in range(2)])
    waiting.start()
    waiting.join(5 * POLLS_EVERY)
    assert waiting.is_alive()
    file.write_bytes(b"..")
    waiting.join(5 * POLLS_EVERY)
    assert waiting.is_alive(), "at the next point"
    file.unlink()  # as the first does at its end
    waiting.join(10)
    assert not waiting.is_alive()


def test_settings_that_ask_for_more_ranks_are_refused(
    tmp_path: Path, tiny: Config, data: TrainingData
) -> None:
    with refused("ranks: expected 2 as the settings have it, found 1"):
        train(replace(tiny, ranks=2), data, tmp_path / "run")
    with refused("at most the 10 training pairs, found 6 on each of 2"):
        epoch_data(data.train, replace(tiny, batch_size=6, ranks=2), 1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, np.ndarray]]:
    """The weights of every case on rank 0 and on rank 1."""
    folder = tmp_path_factory.mktemp("ranks")
    Job(folder / "job", Path(ranks.__file__), folder, *ranks.CASES).succeeded()
    return [dict(np.load(folder / f"rank_{rank}.npz")) for rank in (0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "bound"),
    [
        ("adam", 1e-3),  # whose first steps take the sign of the smallest gradients; 2e-4
        ("stargan", 1e-3),  # Adam, four networks and their averages; 2e-5
        ("sgd", 1e-4),  # eight compiled steps with dropout; 1.5e-5 apart after twenty
        ("batch", 1e-5),  # synchronised statistics, moving ones too; 2e-9
        ("wgan", 1e-5),  # a second derivative; 2e-8
        ("cyclegan", 1e-3),  # Adam; 4e-5
    ],
)
def test_two_ranks_are_one_process_with_both_batches(
    weights: list[dict[str, np.ndarray]], case: str, bound: float
) -> None:
    first, second = (rank[case] for rank in weights)
    assert first.tobytes() == second.tobytes()
    alone = ranks.CASES[case]()
    assert np.linalg.norm(first - alone) < bound * np.linalg.norm(alone)


@pytest.mark.slow
def test_both_ranks_skip_the_step_in_which_one_overflows(
    weights: list[dict[str, np.ndarray]],
) -> None:
    first, second = (rank["mixed_precision"] for rank in weights)
    assert np.isfinite(first).all()
    assert first.tobytes() == second.tobytes()


def command(out: Path, *words: object) -> tuple[object, ...]:
    """A small training on two ranks, ten steps an epoch."""
    small = TINY | {"size": 16, "jitter_size": 18, "facades": 23, "samples": 1, "epochs": 2}
    return (BIN / "pix2pix-ms", "train", "--distributed", *options(small), "--out", out, *words)


class Ends(NamedTuple):
    """How a job ended that lost a rank in its second epoch, and one that was left alone."""

    job: Job
    run: Path
    seconds: float
    straight: Job
    straight_run: Path


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ends]:
    folder = tmp_path_factory.mktemp("ends")
    words = [word for word in command(folder / "place")[1:] if word != "--distributed"]
    output(*words)
    words = ["--from", folder / "place"]  # which all ranks start with
    jobs = [Job(folder / "killed", *command(folder / "run", *words), silent=8)]
    try:
        jobs[0].wait_for("epoch 1/2")
        os.kill(jobs[0].worker(1), signal.SIGKILL)
        began = time.monotonic()
        jobs += [Job(folder / "alone", *command(folder / "straight", *words))]
        jobs[0].status()
        seconds = time.monotonic() - began
        yield Ends(jobs[0], folder / "run", seconds, jobs[1], folder / "straight")
    finally:
        for job in jobs:
            job.process.kill()


@pytest.mark.linux
@pytest.mark.slow
def test_a_killed_rank_ends_the_job_with_a_message_and_a_checkpoint(ends: Ends) -> None:
    assert ends.job.process.returncode != 0
    assert ends.seconds < 60
    # msrun ends the other rank at once, and both are missed where the machine is slow.
    told = r"error: ranks: expected all ranks to the end, found (0, )?1 gone; .*--resume"
    assert re.search(told, ends.job.text())
    position = checkpoints.load(Run(ends.run).last)[2]
    assert (position["epoch"], position["step"]) == (1, 10)


@pytest.mark.linux
@pytest.mark.slow
def test_a_killed_job_goes_on_to_the_same_end(ends: Ends, tmp_path: Path) -> None:
    text = ends.straight.succeeded()
    assert "CPU on 2 ranks, 16x16, 2 epochs" in text
    place = ends.run.with_name("place")
    assert f"starts from {place}, epoch 2: generator, discriminator" in text
    assert "starts from" not in (ends.straight.log / "worker_1.log").read_text()
    first, last = Run(ends.straight_run).log()[0], Run(place).log()[-1]
    assert first["held_out_l1"] == last["held_out_l1"]
    assert "rank" not in (ends.straight.log / "worker_1.log").read_text()  # the first alone speaks
    resumed = Job(tmp_path / "resumed", *command(ends.run, "--resume"))
    assert "epoch 1/2" not in resumed.succeeded()
    assert result(ends.run) == result(ends.straight_run)
    config, at = checkpoints.load(Run(ends.run).last)[1:]
    assert (config.ranks, at["epoch"], at["step"]) == (2, 2, 20)
