"""What the headers of all files say before anything is written: a report, and what is unfit.

Headers are read, and pairs encoded, on all cores, by processes that each have a pipe to this one;
the pipe closes when either process ends, for whatever reason. Threads would wait for each other
(Pillow holds the interpreter's lock while it encodes), `fork` is unsafe beside MindSpore's threads,
`multiprocessing`'s other ways import the user's script again, and joblib waits for ever for a
process that was killed while it answered. This module must not import MindSpore: each process
would load it.
"""

import os
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from pix2pix_ms.data.images import MODES, Header, header
from pix2pix_ms.data.prepare.folders import Found, PairFiles, check_equal, check_halves, short
from pix2pix_ms.data.prepare.recipe import Recipe
from pix2pix_ms.errors import Pix2PixError, first_line

Result = TypeVar("Result")
Use = Callable[[PairFiles, Recipe], Result]
Submit = Callable[[Use[Any], list[PairFiles], Recipe], "Future[Any]"]

WORTH_IT = 32  # pairs: fewer are done sooner than processes start
AT_ONCE = 4  # pairs a call: an exchange with a process costs about as much as reading a header
AHEAD = 2  # calls a process, one of them at work
MOST_KINDS = 4  # of sizes, modes and ignored files that a line names
LABEL = 10  # columns


class Seen(NamedTuple):
    """The headers of a pair's files, and the line that says why it is unfit, if it is."""

    headers: list[Header]
    fault: str | None


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@contextmanager
def workers(pairs: int) -> Iterator[Submit | None]:
    """Start a process for each core and yield a function that submits calls to them.

    None where so few pairs are done sooner without.
    """
    if pairs < WORTH_IT or cores() == 1:
        yield None
        return
    started = [start() for _ in range(cores())]
    idle: SimpleQueue[Connection] = SimpleQueue()
    for _, connection in started:
        idle.put(connection)
    threads = ThreadPoolExecutor(len(started))
    try:
        yield lambda *call: threads.submit(ask, idle, *call)
    finally:
        for process, _ in started:
            process.kill()
            process.wait()
        threads.shutdown(cancel_futures=True)


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


def ask(
    idle: SimpleQueue[Connection], function: Use[Result], pairs: list[PairFiles], recipe: Recipe
) -> list[Result]:
    """Have a process call a function on some pairs."""
    connection = idle.get()
    try:
        connection.send((function, pairs, recipe))
        answer = connection.recv()
    except (OSError, EOFError) as error:
        raise Pix2PixError(
            f"{pairs[0].a}: expected it and the next to be read, found that the process "
            "reading them ended; is there enough memory?"
        ) from error
    finally:
        idle.put(connection)  # whether alive or not: another thread may wait for it
    if isinstance(answer, Exception):
        raise answer
    return answer


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
    function: Use[Result], pairs: list[PairFiles], recipe: Recipe, submit: Submit | None
) -> Iterator[Result]:
    """Yield `function(pair, recipe)` of every pair, in order, a few results in memory at a time.

    Raises:
        Pix2PixError: what the function raises, or if a process dies.
    """
    if submit is None:
        yield from (function(pair, recipe) for pair in pairs)
        return
    calls = (
        submit(function, pairs[first : first + AT_ONCE], recipe)
        for first in range(0, len(pairs), AT_ONCE)
    )
    waiting: deque[Future[list[Result]]] = deque(islice(calls, AHEAD * cores()))
    while waiting:
        results = waiting.popleft().result()
        waiting.extend(islice(calls, 1))
        yield from results


def look(pair: PairFiles, recipe: Recipe) -> Seen:
    """Read the headers of a pair and check that the recipe can use it."""
    headers: list[Header] = []
    try:
        headers += map(header, [path for path in (pair.a, pair.b) if path])
        if pair.b is not None:
            check_equal(pair.a, headers[0].size, pair.b, headers[1].size)
        elif recipe.make is None and not recipe.unpaired:
            check_halves(pair.a, headers[0].width, headers[0].height, recipe.halves)
    except Pix2PixError as error:
        return Seen(headers, str(error))
    return Seen(headers, None)


def refuse_unfit(seen: list[Seen]) -> None:
    """Refuse unfit files: the first one's line, and how many more there are."""
    faults = [pair.fault for pair in seen if pair.fault]
    if faults:
        raise Pix2PixError(faults[0] + f" (and {len(faults) - 1} more)" * (len(faults) > 1))


def lines(splits: dict[str, Found], seen: list[Seen], recipe: Recipe) -> Iterator[str]:
    """Yield the lines of the report."""
    for name, found in splits.items():
        yield line(name, amount(found))
    yield line("size", counted(head.size for pair in seen for head in pair.headers))
    yield line("mode", counted(modes(seen, recipe.stored)))
    headers = [head for pair in seen for head in pair.headers]
    if turned := sum(head.turned for head in headers):
        yield line("turned", f"{turned} as their EXIF orientation says")
    if any(head.transparent for head in headers):
        yield line("alpha", counted(alphas(seen, recipe.stored)))
    ignored = [path for found in splits.values() for path in found.ignored]
    if ignored:
        yield line("ignored", f"{len(ignored)} that are no images: {some(ignored)}")
    for path in (path for found in splits.values() for path in found.lonely):
        yield line("unpaired", str(path))
    for pair in seen:
        if pair.fault:
            yield line("unfit", pair.fault)


def amount(found: Found) -> str:
    """Say how many pairs there are, or how many images of which domains."""
    domains = Counter(pair.domain for pair in found.pairs if pair.domain)
    if not domains:
        return f"{len(found.pairs)} pairs, {found.layout}"
    return f"{len(found.pairs)} images: " + ", ".join(f"{d} {n}" for d, n in domains.items())


def line(label: str, text: str) -> str:
    """Return a line of the report."""
    return f"{label:{LABEL}}{text}"


def counted(kinds: Iterable[str]) -> str:
    """Count what there is, the most frequent first, such as `400 of 512x256`."""
    counts = Counter(kinds).most_common()
    named = [f"{count} of {kind}" for kind, count in counts[:MOST_KINDS]]
    rest = len(counts) - len(named)
    return ", ".join(named + [f"{rest} other kinds"] * (rest > 0)) or "none"


def some(paths: list[Path]) -> str:
    """Name a few files."""
    more = f" and {len(paths) - MOST_KINDS} more" if len(paths) > MOST_KINDS else ""
    return ", ".join(map(short, paths[:MOST_KINDS])) + more


def modes(seen: list[Seen], stored: tuple[int, int]) -> Iterator[str]:
    """Yield each file's mode and, if they differ, the modes it is stored with."""
    for head, channels in uses(seen, stored):
        becomes = dict.fromkeys(MODES[count] for count in channels)
        same = list(becomes) == [head.mode]
        yield head.mode if same else f"{head.mode} to {' and '.join(becomes)}"


def alphas(seen: list[Seen], stored: tuple[int, int]) -> Iterator[str]:
    """Yield what becomes of each file's alpha."""
    for head, channels in uses(seen, stored):
        if head.transparent:
            fates = {"kept" if count in (2, 4) else "put over white" for count in channels}
            yield f"{head.mode} " + " and ".join(sorted(fates, reverse=True))


def uses(seen: list[Seen], stored: tuple[int, int]) -> Iterator[tuple[Header, tuple[int, ...]]]:
    """Yield each header with the channels that its file is stored with."""
    for pair in seen:
        if len(pair.headers) == 1:
            yield pair.headers[0], stored
        else:
            yield from zip(pair.headers, ((count,) for count in stored), strict=False)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
