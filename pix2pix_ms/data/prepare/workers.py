"""Functions of pairs on all cores: in order, with a few results in memory at a time.

Each process has a pipe of its own to this one; the pipe closes when either process ends, however.
Not threads: Pillow locks the interpreter while it encodes. Not `multiprocessing`: `fork` is unsafe
beside MindSpore's threads, and its other ways import the user's script again. Not joblib (1.6):
if a process is killed while it sends a large result, as when memory runs out, it may wait for ever.
This module must not import MindSpore: each process would load it.
"""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from pix2pix_ms.data.prepare.folders import PairFiles
from pix2pix_ms.data.prepare.recipe import Recipe
from pix2pix_ms.errors import Pix2PixError, first_line

Result = TypeVar("Result")

WORTH_IT = 32  # pairs: fewer are done before processes have started
AT_ONCE = 4  # pairs in a call: one exchange with a process costs as much as reading a header
AHEAD = 2  # calls sent to a process, of which it works at one


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@contextmanager
def workers(pairs: int) -> Iterator[list[Connection]]:
    """Start a process for each core and yield the pipes to them; none for a few pairs."""
    places = os.pathsep.join([str(Path(__file__).parents[3]), *filter(None, sys.path)])
    processes: list[subprocess.Popen[bytes]] = []
    connections: list[Connection] = []
    try:
        for _ in range(cores() if pairs >= WORTH_IT and cores() > 1 else 0):
            ours, theirs = Pipe()
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", __name__, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    env=os.environ | {"PYTHONPATH": places},  # it finds modules where we do
                    pass_fds=[theirs.fileno()],
                    process_group=0,  # Ctrl-C is for the parent
                )
            processes.append(process)
            connections.append(ours)
        yield connections
    finally:
        for process in processes:
            process.kill()
            process.wait()


def serve(connection: Connection) -> None:
    """Answer calls until the other side closes the pipe, or ends."""
    with suppress(EOFError, ConnectionError):
        while True:
            function, pairs, recipe = connection.recv()
            answer: Any
            try:
                answer = [function(pair, recipe) for pair in pairs]
            except (Pix2PixError, OSError) as error:
                answer = error
            except Exception as error:  # of a type that may not pickle
                answer = Pix2PixError(f"{pairs[0].a} or the next: {first_line(error)}")
            connection.send(answer)


def each(
    function: Callable[[PairFiles, Recipe], Result],
    pairs: list[PairFiles],
    recipe: Recipe,
    connections: list[Connection],
) -> Iterator[Result]:
    """Yield `function(pair, recipe)` of every pair, in order; the processes take turns."""
    if not connections:
        yield from (function(pair, recipe) for pair in pairs)
        return
    calls = deque(pairs[first : first + AT_ONCE] for first in range(0, len(pairs), AT_ONCE))
    sent: deque[tuple[Connection, list[PairFiles]]] = deque()

    def send(connection: Connection) -> None:
        if calls:
            sent.append((connection, calls.popleft()))
            with suppress(ConnectionError):  # the process has ended; its answer will be missed
                connection.send((function, sent[-1][1], recipe))

    for connection in AHEAD * connections:
        send(connection)
    while sent:
        connection, call = sent.popleft()
        try:
            answer = connection.recv()
        except (OSError, EOFError) as error:
            raise Pix2PixError(
                f"{call[0].a}: expected it and the next to be read, found that the "
                "process reading them ended; is there enough memory?"
            ) from error
        send(connection)
        if isinstance(answer, Exception):
            raise answer
        yield from answer


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
