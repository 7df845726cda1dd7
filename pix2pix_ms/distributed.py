"""More than one device or machine: data parallel, started by MindSpore's own `msrun`.

The idea: msrun starts a process for each device, a rank, and one more, the scheduler, through which
they find each other. Every rank has all networks; it takes its rows of each batch (`sharding`),
averages its gradients with the others', and so stays their equal. The first rank alone writes.

Collectives are HCCL's on Ascend, NCCL's on a GPU, MindSpore's own on a CPU. There a sum of float32,
a gathering and a broadcast are all there is (MindSpore 2.7 to 2.10), and nothing else is used.
"""

import hashlib
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import mindspore as ms
import numpy as np
from mindspore import Tensor, communication, nn, ops

from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.settings import Settings

LAUNCH = "msrun --worker_num=2 --local_worker_num=2 --join=True .venv/bin/pix2pix-ms train …"
LOOKS_EVERY = 5.0  # seconds between two looks at the scheduler
MISSES = 2  # so many in vain, and it is gone


@dataclass(frozen=True)
class World:
    """All ranks, and which of them this process is."""

    rank: int = 0
    ranks: int = 1
    synchronised: bool = False  # batch normalisation takes the statistics of all


_joined: list[World] = []  # one, once this process has joined


def world() -> World:
    """Return the world this process is in; by itself, unless it has joined others."""
    return _joined[0] if _joined else World()


def is_first() -> bool:
    """Tell whether this is the rank that writes and speaks."""
    return world().rank == 0


def launched() -> int:
    """Return how many ranks msrun has started; in its scheduler, serve them and end.

    Raises:
        Pix2PixError: if msrun did not start this process, or started it alone.
    """
    role, count = os.environ.get("MS_ROLE"), os.environ.get("MS_WORKER_NUM", "0")
    if role not in ("MS_WORKER", "MS_SCHED") or not count.isdigit():
        raise Pix2PixError(
            f"--distributed: expected to be started by msrun, found no sign of it; use {LAUNCH}"
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
    """Be the scheduler until all ranks have ended, and say if one ended too soon.

    Left alone, a scheduler that has lost a rank stays for good, and msrun with it (MindSpore 2.8).
    """
    try:
        communication.init()
    except RuntimeError as error:
        gone = re.search(r"\{([\d, ]+)\}", str(error))  # as MindSpore lists them (2.8)
        leave(f"expected all ranks to the end, found {gone[1] if gone else 'one of them'} gone")
    os._exit(0)


def leave(problem: str) -> NoReturn:
    """Say what went wrong and end this process at once: a lost rank lets nobody finish."""
    sys.stdout.flush()
    print(
        f"error: ranks: {problem}; their logs say why; "
        "go on from the last whole epoch with the same command and --resume",
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)


def join(synchronised: bool = False) -> World:
    """Find the other ranks, once the device is chosen, and return the world.

    Args:
        synchronised: batch normalisation, in networks built from now on, takes the statistics of
            all ranks' images while training.

    Raises:
        Pix2PixError: if they do not come together.
    """
    try:
        communication.init()
    except RuntimeError as error:
        raise Pix2PixError(
            f"--distributed: expected to meet the other ranks, found: {str(error).splitlines()[0]}"
        ) from error
    found = communication.get_rank(), communication.get_group_size()
    if not _joined:
        threading.Thread(target=watch, daemon=True).start()
    _joined[:] = [World(*found, synchronised)]
    return world()


def watch() -> None:
    """End this process when the scheduler is gone, which ends with the first rank that is lost.

    msrun ends the ranks of its own machine; those of others would wait in a sum for ever.
    """
    place = os.environ["MS_SCHED_HOST"], int(os.environ["MS_SCHED_PORT"])
    missed = 0
    while missed < MISSES:
        time.sleep(LOOKS_EVERY)
        try:
            socket.create_connection(place, LOOKS_EVERY).close()
            missed = 0
        except OSError:
            missed += 1
    leave("expected msrun's scheduler to the end, found it gone, as when a rank is lost")


def check_ranks(config: Settings) -> None:
    """Refuse to train with another number of ranks than the settings have.

    Raises:
        Pix2PixError: naming both.
    """
    if config.ranks != world().ranks:
        raise Pix2PixError(
            f"ranks: expected {config.ranks} as the settings have it, found {world().ranks}; "
            f"start as many: {LAUNCH} --distributed"
        )


def mean(values: Sequence[float]) -> list[float]:
    """Return the ranks' mean of each value; alone, the values."""
    if world().ranks == 1:
        return list(values)
    total = ops.AllReduce()(Tensor(np.array(values, np.float32))).asnumpy()
    return [float(value) for value in total / world().ranks]


def barrier() -> None:
    """Wait until every rank is here."""
    mean([0.0])  # `ops.Barrier` has no CPU kernel (MindSpore 2.7 to 2.10)


@contextmanager
def first_before_others() -> Iterator[None]:
    """Let the first rank finish this block before the others begin it."""
    if not is_first():
        barrier()
    yield
    if is_first():
        barrier()


def agree(what: str, value: str) -> None:
    """Refuse to go on where a rank has something else than the first.

    Raises:
        Pix2PixError: naming `what` differs, and the rank.
    """
    if world().ranks == 1:
        return
    digest = np.frombuffer(hashlib.sha256(value.encode()).digest()[:8], np.uint16)
    everyone = ops.AllGather()(Tensor(digest.astype(np.float32)[None])).asnumpy()
    others = np.flatnonzero((everyone != everyone[0]).any(1)).tolist()
    if others:
        raise Pix2PixError(
            f"{what}: expected the same on every rank, found another on rank {others[0]} than on "
            "rank 0; give all the same command and the same data"
        )


def broadcast(parameters: Iterable[ms.Parameter]) -> None:
    """Give every rank the first one's parameters."""
    if world().ranks > 1:
        send = ops.Broadcast(0)
        for parameter in parameters:
            (value,) = send((parameter.value().astype(ms.float32),))
            ops.assign(parameter, value.astype(parameter.dtype))


class Mean(nn.Cell):
    """The ranks' mean of tensors, by one sum of all of them laid end to end.

    One message costs one latency, and ranks cannot sum in different orders. Its gradient is the
    mean of the ranks' gradients, times their number: that of the sum of their losses.
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
        """The optimiser, after the gradients are averaged."""

        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            self.mean = Mean()

        def construct(self, gradients: tuple[Tensor, ...]) -> Any:
            """Average, then update."""
            return super().construct(self.mean(gradients))

    return Averaging


def gathering() -> nn.Cell | ops.AllGather:
    """Return what makes one batch of all ranks' batches, in their order; alone, of one's own."""
    return ops.AllGather() if world().ranks > 1 else nn.Identity()
