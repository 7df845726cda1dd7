"""A report on all files, from their headers, and their faults, before anything is written."""

from collections import Counter
from collections.abc import Iterable
from itertools import starmap
from typing import NamedTuple

from pix2pix_ms.data.images import MODES, Header, check_bands, header
from pix2pix_ms.data.prepare.folders import (
    MOST_NAMED,
    Found,
    PairFiles,
    check_equal,
    check_halves,
    some,
)
from pix2pix_ms.data.prepare.recipe import Recipe
from pix2pix_ms.errors import Pix2PixError

LABEL = 10  # columns
MOST_LISTED = 12  # files without a partner, or unfit, in the report


class Seen(NamedTuple):
    """The headers of a pair's files, and why it cannot be used, if it cannot."""

    headers: list[Header]
    fault: str | None


def look(pair: PairFiles, recipe: Recipe) -> Seen:
    """Read the headers of a pair and check that the recipe can be applied to it."""
    headers: list[Header] = []
    try:
        files = [path for path in (pair.a, pair.b) if path]
        headers += map(header, files)
        wanted = (3, 3) if recipe.make else recipe.stored
        for path, head, channels in zip(files, headers, wanted, strict=False):
            check_bands(path, head.bands or channels, channels)
        if pair.b is not None:
            check_equal(pair.a, headers[0], pair.b, headers[1])
        elif recipe.make is None and not recipe.unpaired:
            check_halves(pair.a, headers[0].width, headers[0].height, recipe.halves)
    except Pix2PixError as error:
        return Seen(headers, str(error))
    return Seen(headers, None)


def refuse_unfit(splits: dict[str, Found], seen: list[Seen]) -> None:
    """Refuse unfit files, with the message of the first, and a split without pairs."""
    faults = [pair.fault for pair in seen if pair.fault]
    if faults:
        raise Pix2PixError(faults[0] + f" (and {len(faults) - 1} more)" * (len(faults) > 1))
    for name, found in splits.items():
        if not found.pairs:
            raise Pix2PixError(
                f"{name}: expected at least one pair, found none whose names match in "
                f"{found.layout}; give both images of a pair the same name"
            )


def lines(splits: dict[str, Found], seen: list[Seen], recipe: Recipe) -> list[str]:
    uses = [  # each file, with the channels of what is made of it
        (head, recipe.stored if len(pair.headers) == 1 else (channels,))
        for pair in seen
        for head, channels in zip(pair.headers, recipe.stored, strict=False)
    ]
    rows = [(name, amount(found)) for name, found in splits.items()]
    rows += [("size", counted(head.size for head, _ in uses))]
    rows += [("mode", counted(starmap(mode, uses)))]
    if turned := sum(head.turned for head, _ in uses):
        rows += [("turned", f"{turned} as their EXIF orientation says")]
    if transparent := [use for use in uses if use[0].transparent]:
        rows += [("alpha", counted(starmap(alpha, transparent)))]
    if ignored := [path for found in splits.values() for path in found.ignored]:
        rows += [("ignored", f"{len(ignored)} that are no images: {some(ignored)}")]
    lonely = [str(path) for found in splits.values() for path in found.lonely]
    for label, each in (("unpaired", lonely), ("unfit", [p.fault for p in seen if p.fault])):
        rows += [(label, line) for line in each[:MOST_LISTED]]
        if len(each) > MOST_LISTED:
            rows += [(label, f"and {len(each) - MOST_LISTED} more")]
    return [f"{label:{LABEL}}{text}" for label, text in rows]


def amount(found: Found) -> str:
    domains = Counter(pair.domain for pair in found.pairs if pair.domain)
    if not domains:
        return f"{len(found.pairs)} pairs, {found.layout}"
    return f"{len(found.pairs)} images: " + ", ".join(f"{d} {n}" for d, n in domains.items())


def counted(kinds: Iterable[str]) -> str:
    """Return the most frequent kinds with their counts, such as `400 of 512x256`."""
    counts = Counter(kinds).most_common()
    named = [f"{count} of {kind}" for kind, count in counts[:MOST_NAMED]]
    rest = len(counts) - len(named)
    return ", ".join(named + [f"{rest} other kinds"] * (rest > 0)) or "none"


def mode(head: Header, channels: tuple[int, ...]) -> str:
    """Return a file's mode and, if they differ, the modes it is stored with."""
    becomes = dict.fromkeys(MODES[count] for count in channels)
    return head.mode if [*becomes] == [head.mode] else f"{head.mode} to {' and '.join(becomes)}"


def alpha(head: Header, channels: tuple[int, ...]) -> str:
    fates = {"kept" if count in (2, 4) else "put over white" for count in channels}
    return f"{head.mode} " + " and ".join(sorted(fates, reverse=True))
