"""How msrun's processes find each other, wait for the first of them, and end when one is lost.

msrun starts a process for each device, a rank, and one more, the scheduler, which tells them of
each other and hears whether they live.
"""

import os
import re
import secrets
import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from typing import NoReturn

from mindspore import communication

from pix2pix_ms.errors import Pix2PixError

LAUNCH = "msrun --worker_num=2 --local_worker_num=2 --join=True .venv/bin/pix2pix-ms train"
LOOKS_EVERY = 5.0  # seconds between two looks at the scheduler
MISSES = 2  # so many in vain, and it is gone
CONNECTS_WITHIN = 60.0  # seconds
ANSWERS_WITHIN = 5.0  # seconds, once connected
WORD = "!4H"  # by which the first knows the others: four numbers that only ranks are told


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
    try:
        with suppress(OSError):  # nobody takes it any more
            sys.stdout.flush()
        print(
            f"error: ranks: {problem}; their logs say why; "
            "go on from the last whole epoch with the same command and --resume",
            file=sys.stderr,
            flush=True,
        )
    finally:  # also where nobody takes the words
        os._exit(1)


def watch_scheduler() -> None:
    """End this process when the scheduler is gone, which ends with the first rank that is lost.

    msrun ends the ranks of its own machine; those of others might wait in a sum for ever.
    """
    threading.Thread(target=look_for, args=(scheduler(),), daemon=True).start()


def scheduler() -> tuple[str, int]:
    """Return where the scheduler listens."""
    return os.environ["MS_SCHED_HOST"], int(os.environ["MS_SCHED_PORT"])


def look_for(place: tuple[str, int]) -> None:
    """Knock at a place again and again, and leave when nobody opens."""
    missed = 0
    while missed < MISSES:
        time.sleep(LOOKS_EVERY)
        try:
            socket.create_connection(place, LOOKS_EVERY).close()
            missed = 0
        except OSError:
            missed += 1
    leave("expected msrun's scheduler to the end, found it gone, as when a rank is lost")


class FirstsLine:
    """A line from the first rank to each of the others, on which it says that it is done.

    MindSpore's own sums on a CPU give up after 30 s (2.8), and the first rank may measure and draw
    for longer. Here one waits as long as the first lives.
    """

    def __init__(self) -> None:
        self.listening = socket.create_server(("", 0))
        self.word = [secrets.randbelow(1 << 16) for _ in range(4)]
        self.others: list[socket.socket] = []

    def address(self) -> list[int]:
        """Return four numbers and a port, where other machines find this one, and its word."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as towards:
            towards.connect(scheduler())
            numbers = towards.getsockname()[0].split(".")
        return [*map(int, numbers), self.listening.getsockname()[1], *self.word]

    def meet(self, rank: int, ranks: int, address: list[int]) -> None:
        """Connect: the first to all, each of the others to the first, which is at this address."""
        word = struct.pack(WORD, *address[5:])
        if rank == 0:
            self.listening.settimeout(CONNECTS_WITHIN)
            while len(self.others) < ranks - 1:
                other = self.listening.accept()[0]
                if heard(other, len(word)) == word:
                    self.others.append(other)
                else:
                    other.close()  # no rank: something that tries ports
        else:
            place = ".".join(map(str, address[:4])), address[4]
            self.others = [socket.create_connection(place, CONNECTS_WITHIN)]
            self.others[0].settimeout(None)
            self.others[0].sendall(word)
        self.listening.close()

    def tell(self) -> None:
        """Say, as the first rank, that it is done."""
        for other in self.others:
            other.sendall(b".")

    def wait(self) -> None:
        """Wait, as another rank, until the first is done; end where it is gone."""
        try:
            heard = self.others[0].recv(1)
        except OSError:
            heard = b""
        if not heard:
            leave("expected rank 0 to the end, found it gone")


def heard(other: socket.socket, size: int) -> bytes:
    """Return what comes from one that has just connected, nothing if it keeps silent."""
    other.settimeout(ANSWERS_WITHIN)
    try:
        said = other.recv(size)
    except OSError:
        said = b""
    other.settimeout(None)
    return said
