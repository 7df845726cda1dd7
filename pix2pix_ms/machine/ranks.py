"""More than one device or machine: data parallel, started by MindSpore's own `msrun`.

The idea: every rank, a process with a device, has all networks; it takes its rows of each batch,
averages its gradients with the others', and so stays their equal. Order, crops, masks and noise are
drawn for the whole step, so that N ranks at batch size B see and draw what one process at N B does.
The first rank alone writes. msrun starts a process for each rank and one more, the scheduler, which
tells them of each other and hears whether they live; when one is lost all end.

Collectives are HCCL's on Ascend, NCCL's on a GPU, MindSpore's own on a CPU. There a sum of float32,
a gathering and a broadcast are all there is (MindSpore 2.8), and nothing else is used.
"""

import hashlib
import os
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import mindspore as ms
import numpy as np
from mindspore import Tensor, communication, nn, ops

from pix2pix_ms.config.settings import Settings
from pix2pix_ms.errors import Pix2PixError, first_line

LAUNCH = "msrun --worker_num=2 --local_worker_num=2 --join=True .venv/bin/pix2pix-ms train"
LOOKS_EVERY = 5.0  # seconds between two looks at the scheduler
MISSES = 2  # failed looks in a row after which it counts as ended
POLLS_EVERY = 0.02  # seconds between two looks at how far the first rank is
SEEN_WITHIN = 60.0  # seconds after which a network disk shows a new file


@dataclass
class World:
    """All ranks, and which of them this process is; by itself, until it joins others."""

    rank: int = 0
    ranks: int = 1
    synchronised: bool = False
    """Whether batch normalisation takes the statistics of all."""
    progress: Path | None = None
    """The file by which the others know how far the first rank is, a byte for each point."""
    points: int = 0
    """How many points this rank has reached."""


_world = World()


def world() -> World:
    """Return the world this process is in."""
    return _world


def is_first() -> bool:
    return world().rank == 0


def join(synchronised: bool = False) -> World:
    """Find the other ranks, once the device is chosen, and return the world.

    Args:
        synchronised: batch normalisation, in networks built from now on, takes the statistics of
            all ranks' images while training.

    Raises:
        Pix2PixError: if they do not come together.
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
        watch_scheduler()
    here.synchronised = synchronised
    return here


@contextmanager
def waiting_in(folder: Path) -> Iterator[None]:
    """Let the ranks wait for the first by a file in a folder that all of them see: the run's."""
    if world().ranks == 1:
        yield
        return
    file = folder / f".rank_0_{int(gathered([secrets.randbelow(1 << 24)])[0, 0])}"
    if is_first():
        file.touch()
    gathered([0.0])  # the others look when it has been made
    until = time.monotonic() + SEEN_WITHIN
    while not file.is_file():
        if time.monotonic() > until:
            raise Pix2PixError(
                f"{folder}: expected a folder that all ranks share, found another on rank "
                f"{world().rank}; choose one with --out that all machines see"
            )
        time.sleep(POLLS_EVERY)
    here = world()
    here.progress, here.points = file, 0
    try:
        yield
    finally:
        here.progress = None
        if is_first():
            file.unlink(missing_ok=True)


def gathered(values: Sequence[float]) -> np.ndarray:
    """Return the values of every rank, float32 [ranks, N]."""
    everyone: np.ndarray = ops.AllGather()(Tensor(np.array([values], np.float32))).asnumpy()
    return everyone


def mean(values: Sequence[float]) -> list[float]:
    """Return the ranks' mean of each value; alone, the values."""
    return list(values) if world().ranks == 1 else gathered(values).mean(0).tolist()


def agree(what: str, value: str) -> None:
    """Refuse to go on where a rank has another value than the first, naming `what` it is."""
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
    """A one-way barrier: wait until the first rank is here too, which does not wait itself.

    Not a collective: MindSpore's on a CPU give up after 30 s (2.8), and the first rank may measure
    and draw for longer. If it dies, the scheduler ends and the others exit.
    """
    here = world()
    if here.progress is None:
        return
    here.points += 1
    if is_first():
        with here.progress.open("ab") as writing:
            writing.write(b".")
        return
    with suppress(FileNotFoundError):  # the first has come to its end
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
    """The ranks' mean of tensors, by one sum of all of them laid end to end.

    One message costs one latency, and ranks cannot sum in different orders. Its gradient sums what
    the ranks' losses ask of it, as the gradient of their sum does.
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
    """Return an optimiser that steps along the mean of all ranks' gradients; alone, as it is."""
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
    """Return which of an epoch's samples are this rank's, int [M], in the order of the epoch.

    Of each step's `config.global_batch` the rank has the rows from rank times `batch_size` on; what
    does not fill a last step is left out. Alone it has all, and the batching leaves that out.
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
        axis: which counts the images of the batch.
    """
    here = world()
    everyone = [side * here.ranks if place == axis else side for place, side in enumerate(shape)]
    return np.split(sample(everyone, dtype=np.float32), here.ranks, axis)[here.rank]


def launched() -> int:
    """Return how many ranks msrun has started; in its scheduler, serve them and end.

    Raises:
        Pix2PixError: if msrun did not start this process, or started it alone.
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
        serve()
    return int(count)


def serve() -> NoReturn:
    """Be the scheduler until all ranks have ended, and report one that ended too soon.

    Left alone, a scheduler that has lost a rank stays for good, and msrun with it (MindSpore 2.8).
    """
    try:
        communication.init()
    except RuntimeError as error:
        lost = re.search(r"\{([\d, ]+)\}", str(error))  # as MindSpore lists them (2.8)
        leave(f"expected all ranks to the end, found {lost[1] if lost else 'one of them'} gone")
    os._exit(0)


def leave(problem: str) -> NoReturn:
    """Print the problem and exit at once: without all ranks no collective completes."""
    try:
        with suppress(OSError):  # a closed pipe
            sys.stdout.flush()
        print(
            f"error: ranks: {problem}; their logs say why; "
            "go on from the last whole epoch with the same command and --resume",
            file=sys.stderr,
            flush=True,
        )
    finally:  # also where standard error is closed
        os._exit(1)


def watch_scheduler() -> None:
    """End this process when the scheduler is gone, which ends with the first rank that is lost.

    msrun ends the ranks of its own machine; those of others might wait in a sum for ever.
    """
    place = os.environ["MS_SCHED_HOST"], int(os.environ["MS_SCHED_PORT"])

    def look() -> None:
        missed = 0
        while missed < MISSES:
            time.sleep(LOOKS_EVERY)
            try:
                socket.create_connection(place, LOOKS_EVERY).close()
                missed = 0
            except OSError:
                missed += 1
        leave("expected msrun's scheduler to the end, found it gone, as when a rank is lost")

    threading.Thread(target=look, daemon=True).start()
