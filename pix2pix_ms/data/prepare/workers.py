"""Functions of pairs on all cores: in order, a few results in memory at a time.

By processes that each have a pipe to this one; the pipe closes when either process ends, for
whatever reason. Threads would wait for each other (Pillow locks the interpreter while it encodes),
`fork` is unsafe beside MindSpore's threads, `multiprocessing`'s other ways import the user's script
again, and joblib waits for ever for a process that was killed while it answered. This module must
not import MindSpore: each process would load it.
"""

import os
import subprocess
import sys
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

WORTH_IT = 32  # pairs: fewer are done sooner than processes start
AT_ONCE = 4  # pairs a call: an exchange with a process costs about as much as reading a header
AHEAD = 2  # calls a process, one of them at work


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@contextmanager
def workers(pairs: int) -> Iterator[list[Connection]]:
    """Start a process for each core and give the pipes to them; none where that takes longer."""
    count = cores() if pairs >= WORTH_IT else 1
    started = [start() for _ in range(count)] if count > 1 else []
    try:
        yield [connection for _, connection in started]
    finally:
        for process, _ in started:
            process.kill()
            process.wait()


def start() -> tuple[subprocess.Popen[bytes], Connection]:
    """Start a process that finds modules where this one does; return it and the pipe to it."""
    ours, theirs = Pipe()
    places = os.pathsep.join([str(Path(__file__).parents[3]), *filter(None, sys.path)])
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": places},
            pass_fds=[theirs.fileno()],
            process_group=0,  # Ctrl-C is for the parent
        )
    return process, ours


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
            except Exception as error:  # not each type can be sent
                answer = Pix2PixError(f"{pairs[0].a} or the next: {first_line(error)}")
            connection.send(answer)


def each(
    function: Callable[[PairFiles, Recipe], Result],
    pairs: list[PairFiles],
    recipe: Recipe,
    connections: list[Connection],
) -> Iterator[Result]:
    """Yield `function(pair, recipe)` of every pair, in order; processes take calls by turns."""
    if not connections:
        yield from (function(pair, recipe) for pair in pairs)
        return
    calls = [pairs[first : first + AT_ONCE] for first in range(0, len(pairs), AT_ONCE)]
    ahead = AHEAD * len(connections)
    for number in range(len(calls) + ahead):
        connection, done = connections[number % len(connections)], number - ahead
        answer: Any = []
        lost = max(done, number % len(connections))  # the first call without an answer
        try:
            if done >= 0:
                answer = connection.recv()
                lost = done + len(connections)
            if number < len(calls):
                connection.send((function, calls[number], recipe))
        except (OSError, EOFError) as error:
            raise Pix2PixError(
                f"{calls[lost][0].a}: expected it and the next to be read, found that the "
                "process reading them ended; is there enough memory?"
            ) from error
        if isinstance(answer, Exception):
            raise answer
        yield from answer


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
