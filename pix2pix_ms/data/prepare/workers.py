"""Functions of pairs on all cores: in order, a few results in memory at a time.

The idea: Python processes of our own, one a core, that take a pickled call from their stdin and
answer on their stdout. Threads would wait for each other (Pillow holds the interpreter's lock while
it encodes), `fork` is unsafe beside MindSpore's threads, and `multiprocessing`'s other ways import
the user's script again. This module must not import MindSpore: each process would load it.
"""

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import IO, Any, Self, TypeVar, cast

from pix2pix_ms.data.prepare.folders import PairFiles
from pix2pix_ms.data.prepare.recipe import Recipe
from pix2pix_ms.errors import Pix2PixError

Result = TypeVar("Result")
Use = Callable[[PairFiles, Recipe], Result]
Process = subprocess.Popen[bytes]

WORTH_IT = 32  # pairs: fewer are done sooner than processes start
WINDOW = 2  # calls a process, one of them at work


class Workers:
    """Processes that call functions; use it in a `with` block, which ends them."""

    def __init__(self, pairs: int) -> None:
        """Plan a process for each core, none where there are only a few pairs."""
        self.count = cores() if pairs >= WORTH_IT and cores() > 1 else 0
        self.processes: list[Process] = []
        self.idle: SimpleQueue[Process] = SimpleQueue()

    def __enter__(self) -> Self:
        for _ in range(self.count):
            self.processes.append(process := start())
            self.idle.put(process)
        self.threads = ThreadPoolExecutor(max(1, self.count))
        return self

    def __exit__(self, *_: TracebackType | type[BaseException] | BaseException | None) -> None:
        for process in self.processes:
            process.kill()
        self.threads.shutdown(cancel_futures=True)
        for process in self.processes:
            process.communicate()

    def map(
        self, function: Use[Result], pairs: list[PairFiles], recipe: Recipe, at_once: int = 1
    ) -> Iterator[Result]:
        """Yield `function(pair, recipe)` for every pair, in order, so many to a call.

        Raises:
            Pix2PixError: what the function raises, or if a process dies.
        """
        if not self.count:
            yield from (function(pair, recipe) for pair in pairs)
            return
        waiting: deque[Future[list[Result]]] = deque()
        for first in range(0, len(pairs), at_once):
            some = pairs[first : first + at_once]
            waiting.append(self.threads.submit(self.ask, function, some, recipe))
            if len(waiting) >= WINDOW * self.count:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()

    def ask(self, function: Use[Result], pairs: list[PairFiles], recipe: Recipe) -> list[Result]:
        """Have a process call the function on some pairs."""
        process = self.idle.get()
        results: list[Result] = []
        fine, answer = True, cast(Any, None)
        try:
            send((function, pairs, recipe), process.stdin)
            while fine and len(results) < len(pairs):
                fine, answer = pickle.load(process.stdout)  # type: ignore[arg-type]
                results += [answer] * fine
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise Pix2PixError(
                f"{pairs[len(results)].a}: expected it to be read, found that the process "
                f"reading it ended (status {process.wait()}); is there enough memory?"
            ) from error
        finally:
            self.idle.put(process)  # dead or alive: another thread may wait for it
        if not fine:
            raise answer
        return results


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def start() -> Process:
    """Start a process that finds modules where this one does."""
    package = str(Path(__file__).parents[3])
    places = os.pathsep.join([package, *filter(None, sys.path)])
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": places},
        process_group=0,  # Ctrl-C is for the parent, whose end closes their stdin
    )


def send(message: object, stream: IO[bytes] | None) -> None:
    """Send a message to the other side."""
    assert stream
    pickle.dump(message, stream, pickle.HIGHEST_PROTOCOL)
    stream.flush()


def serve(calls: IO[bytes], answers: IO[bytes]) -> None:
    """Answer calls until there are no more; after an error the rest of a call is not answered."""
    while True:
        function, pairs, recipe = pickle.load(calls)
        for pair in pairs:
            try:
                answer = True, function(pair, recipe)
            except Exception as error:
                answer = False, error
            send(answer, answers)
            if not answer[0]:
                break


def main() -> None:
    """Serve the process that started this one, until it closes the pipe or ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not come between
    try:
        serve(sys.stdin.buffer, answers)
    except (EOFError, BrokenPipeError):
        os._exit(0)  # nobody is left to flush for


if __name__ == "__main__":
    main()
