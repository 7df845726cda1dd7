"""More than one device or machine: data parallel, started by MindSpore's own `msrun`.

Every rank, a process with a device, has all networks. It takes its rows of each batch and averages
its gradients with the others', so all ranks' weights stay equal. Order, crops, masks and noise are
drawn for the whole step, so N ranks at batch size B see and draw what one process at N B does. Only
the first rank writes. msrun starts a process for each rank and one more, the scheduler, which gets
a heartbeat from each. When a rank is lost the scheduler exits, and msrun ends the ranks of its own
machine; on others MindSpore (2.8) ends a rank half a minute after it lost the scheduler.

Collectives are HCCL's on Ascend, NCCL's on a GPU, MindSpore's own on a CPU, which has only the sum
of float32, gather and broadcast (MindSpore 2.8); nothing else is used.
"""

import hashlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, communication, nn, ops

from pix2pix_ms.config.settings import Settings
from pix2pix_ms.errors import Pix2PixError, first_line

LAUNCH = "msrun --worker_num=2 --local_worker_num=2 --join=True .venv/bin/pix2pix-ms train"
POLLS_EVERY = 0.02  # seconds between two looks at how far the first rank is
SEEN_WITHIN = 60.0  # seconds after which a network disk shows a new file


@dataclass
class World:
    """The number of ranks, and which of them this process is; one alone until it joins others."""

    rank: int = 0
    ranks: int = 1
    synchronised: bool = False
    """Whether batch normalisation takes the statistics of all ranks' images."""
    progress: Path | None = None
    """The file that the first rank extends by a byte at each call of `wait_for_first`."""
    points: int = 0
    """How often this rank has called `wait_for_first`."""


_world = World()


def world() -> World:
    return _world


def is_first() -> bool:
    return world().rank == 0


def join(synchronised: bool = False) -> World:
    """Connect to the other ranks, once the device is chosen.

    Args:
        synchronised: batch normalisation, in networks built from now on, takes the statistics of
            all ranks' images while training.

    Raises:
        Pix2PixError: if the connection fails.
    """
    here = world()
    if here.ranks == 1:
        try:
            communication.init()
        except RuntimeError as error:
            raise Pix2PixError(
                f"--distributed: expected to meet the other ranks, found: {first_line(error)}; "
                "see the logs of msrun"
            ) from error
        here.rank, here.ranks = communication.get_rank(), communication.get_group_size()
    here.synchronised = synchronised
    return here


@contextmanager
def waiting_in(folder: Path) -> Iterator[None]:
    """Let the ranks wait for the first by a file in the run's folder, which all must see."""
    here = world()
    if here.ranks == 1:
        yield
        return
    # Named after the first rank's process, as a job that was killed leaves its file behind.
    file = folder / f".rank_0_{gathered([os.getpid()])[0, 0]:.0f}"
    if is_first():
        file.write_bytes(b"")
    gathered([0.0])  # so that the others look for it when it is there
    until = time.monotonic() + SEEN_WITHIN
    while not file.is_file():
        if time.monotonic() > until:
            raise Pix2PixError(
                f"{folder}: expected a folder that all ranks share, found another on rank "
                f"{here.rank}; choose one with --out that all machines see"
            )
        time.sleep(POLLS_EVERY)
    here.progress, here.points = file, 0
    try:
        yield
    finally:
        here.progress = None
        if is_first():
            file.unlink(missing_ok=True)


def gathered(values: Sequence[float]) -> np.ndarray:
    """Return the N values of every rank, float32 [ranks, N]."""
    everyone: np.ndarray = ops.AllGather()(Tensor(np.array([values], np.float32))).asnumpy()
    return everyone


def mean(values: Sequence[float]) -> list[float]:
    """Return the ranks' mean of each value; alone, the values."""
    return list(values) if world().ranks == 1 else gathered(values).mean(0).tolist()


def agree(what: str, value: str) -> None:
    """Raise Pix2PixError, naming `what` the value is, if a rank has another than the first."""
    if world().ranks == 1:
        return
    everyone = gathered(list(hashlib.sha256(value.encode()).digest()))
    others = np.flatnonzero((everyone != everyone[0]).any(1)).tolist()
    if others:
        raise Pix2PixError(
            f"{what}: expected the same on every rank, found another on rank {others[0]} than on "
            "rank 0; give all the same command and the same data"
        )


def wait_for_first() -> None:
    """Wait until the first rank has called this too; the first does not wait.

    Not a collective: on a CPU one fails after 30 s (MindSpore 2.8), and the first rank may measure
    and draw for longer.
    """
    here = world()
    if here.progress is None:
        return
    here.points += 1
    if is_first():
        with here.progress.open("ab") as writing:
            writing.write(b".")
        return
    with suppress(FileNotFoundError):  # the first has ended
        while len(here.progress.read_bytes()) < here.points:
            time.sleep(POLLS_EVERY)


@contextmanager
def first_before_others() -> Iterator[None]:
    """Let the first rank finish this block before the others begin it."""
    if not is_first():
        wait_for_first()
    yield
    if is_first():
        wait_for_first()


def broadcast(parameters: Iterable[ms.Parameter]) -> None:
    """Give every rank the first one's parameters."""
    if world().ranks > 1:
        send = ops.Broadcast(0)
        for parameter in parameters:
            (value,) = send((parameter.value().astype(ms.float32),))
            ops.assign(parameter, value.astype(parameter.dtype))


class Mean(nn.Cell):
    """The ranks' mean of tensors, by one sum of all of them concatenated.

    One message costs one latency, and ranks cannot sum in different orders. The gradient of a mean
    is that of the sum of all ranks' losses.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = ops.AllReduce()
        self.part = 1.0 / world().ranks

    def construct(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the means, shaped like the tensors."""
        flat = ops.cat([tensor.reshape(-1) for tensor in tensors])
        means = self.total(flat) * self.part
        split, start = [], 0
        for tensor in tensors:
            split.append(means[start : start + tensor.size].reshape(tensor.shape))
            start += tensor.size
        return tuple(split)


def averaging(kind: type[nn.Optimizer]) -> Callable[..., Any]:
    """Return an optimiser class that averages all ranks' gradients; alone, the class itself."""
    if world().ranks == 1:
        return kind

    class Averaging(kind):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            self.mean = Mean()

        def construct(self, gradients: tuple[Tensor, ...]) -> Any:
            return super().construct(self.mean(gradients))

    return Averaging


def gathering() -> nn.Cell | ops.AllGather:
    """Return a cell that concatenates all ranks' batches in rank order; alone, the identity."""
    return ops.AllGather() if world().ranks > 1 else nn.Identity()


def share(count: int, config: Settings) -> np.ndarray:
    """Return which places in an epoch's order are this rank's samples, int [M], ascending.

    Of each step's `config.global_batch` the rank has the rows from rank times `batch_size` on; an
    incomplete last step is left out. Alone it has all, and the batching drops the incomplete step.
    """
    here = world()
    if here.ranks == 1:
        return np.arange(count)
    whole = count // config.global_batch
    places = np.arange(whole * config.global_batch)
    return places.reshape(whole, here.ranks, config.batch_size)[:, here.rank].ravel()


def draw(shape: Sequence[int], sample: Callable[..., np.ndarray], axis: int = 0) -> np.ndarray:
    """Draw a batch's random numbers for all ranks; return this rank's, float32 of `shape`.

    Args:
        sample: a method of a random generator, such as `random` or `standard_normal`.
        axis: the batch axis.
    """
    here = world()
    everyone = [side * here.ranks if place == axis else side for place, side in enumerate(shape)]
    return np.split(sample(everyone, dtype=np.float32), here.ranks, axis)[here.rank]


def launched() -> int:
    """Return how many ranks msrun has started; in its scheduler, serve them and exit.

    Raises:
        Pix2PixError: if msrun did not start this process, or started it alone; in the scheduler,
            if a rank is lost. (By itself such a scheduler never exits, nor does msrun, 2.8.)
    """
    role, count = os.environ.get("MS_ROLE"), os.environ.get("MS_WORKER_NUM", "0")
    if role not in ("MS_WORKER", "MS_SCHED") or not count.isdigit():
        raise Pix2PixError(
            "--distributed: expected to be started by msrun, found no sign of it; "
            f"use {LAUNCH} --distributed"
        )
    if int(count) < 2:
        raise Pix2PixError(
            f"--distributed: expected 2 workers or more, found {count}; give msrun a larger "
            "--worker_num, or leave --distributed out"
        )
    if role == "MS_SCHED":
        try:
            communication.init()  # returns when all ranks have ended
        except RuntimeError as error:
            lost = re.search(r"\{([\d, ]+)\}", str(error))  # as MindSpore lists them (2.8)
            raise Pix2PixError(
                f"ranks: expected all ranks to the end, found {lost[1] if lost else 'one of them'} "
                "gone; their logs say why; go on from the last whole epoch with the same command "
                "and --resume"
            ) from error
        sys.exit()
    return int(count)
