"""What the headers of all files say before anything is written: a report, and what is unfit.

Headers are read, and pairs encoded, on all cores. Threads would wait for each other (Pillow holds
the interpreter's lock while it encodes), `fork` is unsafe beside MindSpore's threads, and
`multiprocessing`'s other ways import the user's script again; joblib's processes do not. This
module must not import MindSpore: each process would load it.
"""

import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import resource_tracker
from pathlib import Path
from typing import NamedTuple, TypeVar

from joblib import cpu_count
from joblib.externals.loky import ProcessPoolExecutor

from pix2pix_ms.data.images import MODES, Header, header
from pix2pix_ms.data.prepare.folders import Found, PairFiles, check_equal, check_halves, short
from pix2pix_ms.data.prepare.recipe import Recipe
from pix2pix_ms.errors import Pix2PixError

Result = TypeVar("Result")
Use = Callable[[PairFiles, Recipe], Result]

WORTH_IT = 32  # pairs: fewer are done sooner than processes start
AT_ONCE = 4  # pairs a call: an exchange with a process costs about as much as reading a header
AHEAD = 3  # calls a process, one of them at work
MOST_KINDS = 4  # of sizes, modes and ignored files that a line names
LABEL = 10  # columns


class Seen(NamedTuple):
    """The headers of a pair's files, and the line that says why it is unfit, if it is."""

    headers: list[Header]
    fault: str | None


@contextmanager
def workers(pairs: int) -> Iterator[ProcessPoolExecutor | None]:
    """Start a process for each core; None where so few pairs are done sooner without."""
    if pairs < WORTH_IT or cpu_count() == 1:
        yield None
        return
    with ThreadPoolExecutor(1) as thread:
        starting = thread.submit(start)
        try:
            yield starting.result()
        finally:  # also where Ctrl-C comes while they start
            starting.result().shutdown()


def start() -> ProcessPoolExecutor:
    """Start a process for each core; call it in a thread of its own, which it blocks Ctrl-C in.

    A terminal sends Ctrl-C to all processes. These inherit that it is blocked.
    """
    resource_tracker.ensure_running()  # or it would be started later, and lift that (Python 3.11)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    processes = ProcessPoolExecutor(cpu_count(), initializer=end_with, initargs=(os.getpid(),))
    processes.submit(os.getpid)  # starts them
    return processes


def end_with(parent: int) -> None:
    """End this process with its parent, even with one that was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def each(
    function: Use[Result],
    pairs: list[PairFiles],
    recipe: Recipe,
    processes: ProcessPoolExecutor | None,
) -> Iterator[Result]:
    """Yield `function(pair, recipe)` of every pair, in order, a few results in memory at a time.

    Raises:
        Pix2PixError: what the function raises, or if a process dies.
    """
    if processes is None:
        yield from (function(pair, recipe) for pair in pairs)
        return
    calls = (
        processes.submit(several, function, pairs[first : first + AT_ONCE], recipe)
        for first in range(0, len(pairs), AT_ONCE)
    )
    waiting: deque[Future[list[Result]]] = deque(islice(calls, AHEAD * cpu_count()))
    done = 0
    while waiting:
        try:
            results = waiting.popleft().result()
            waiting.extend(islice(calls, 1))
        except BrokenProcessPool as error:
            raise Pix2PixError(
                f"{pairs[done].a}: expected it and the next to be read, found that a process "
                "reading them ended; is there enough memory?"
            ) from error
        yield from results
        done += len(results)


def several(function: Use[Result], pairs: list[PairFiles], recipe: Recipe) -> list[Result]:
    """Call a function on some pairs; in one of the processes."""
    return [function(pair, recipe) for pair in pairs]


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
