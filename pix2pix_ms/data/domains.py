"""Images without partners: named domains, those to train on and those held out.

The idea: a domain is a named set of images. CycleGAN translates between two of them, StarGAN
between many, and to a generator from noise they are class labels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pix2pix_ms.data.pair_batches import Data, Subset, held_out_beside, without_tenth
from pix2pix_ms.data.records import (
    COLUMNS,
    DOMAIN,
    IMAGE,
    Record,
    channels_of,
    inspect,
    names_of,
    open_record,
)
from pix2pix_ms.errors import Pix2PixError


@dataclass(frozen=True)
class Domain(Subset):
    """Some images of a domain: rows of a column of a record."""

    name: str
    column: str

    @property
    def channels(self) -> int:
        return self.record.channels[0]


@dataclass(frozen=True)
class DomainData(Data):
    """The images a run trains on and those it holds out, by domain in the same order.

    `pairs` are held-out pairs of the first two domains, if any are known.
    """

    train: tuple[Domain, ...]
    held_out: tuple[Domain, ...]
    pairs: Subset | None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(domain.name for domain in self.train)

    @property
    def channels(self) -> int:
        return self.train[0].channels


def domain_data(path: Path, seed: int) -> DomainData:
    """Return the domains of a MindRecord file, or of a folder with records.

    A record of images has the domains it names, in alphabetical order; a record of pairs has A and
    B. Held out is `val.mindrecord` beside the record if there is one, else a tenth of each domain,
    or of the pairs, drawn with the seed.

    Raises:
        Pix2PixError: if there is no record, it is unfit, a domain is too small to hold an image
            out, or held-out and training domains differ.
    """
    path, val = held_out_beside(path)
    train = domains_of(path)
    paired = train[0].column != IMAGE
    if val is not None:
        held_out, origin = domains_of(val), str(val)
        ours, theirs = (
            f"{', '.join(domain.name for domain in domains)} with {domains[0].channels}"
            for domains in (train, held_out)
        )
        if ours != theirs:
            raise Pix2PixError(
                f"{val}: expected domains {ours} channels as in {path.name}, found {theirs}; "
                "prepare both again"
            )
    else:
        divided = [
            without_tenth(domain, "pairs", seed)  # the same rows for both
            if paired
            else without_tenth(domain, f"images of {domain.name}", seed, number)
            for number, domain in enumerate(train)
        ]
        train, held_out = zip(*divided, strict=True)
        origin = "the last tenth by seed" if paired else "a tenth of each by seed"
    first = held_out[0]
    pairs = None if first.column == IMAGE else Subset(first.record, first.indices)
    counts = ", ".join(f"{domain.name} {len(domain)}" for domain in train)
    count = sum(map(len, held_out))
    sentence = f"images from {path}: {counts}; held out: {count}, {origin}"
    return DomainData(sentence, (path, val or path), train, held_out, pairs)


def domains_of(path: Path) -> tuple[Domain, ...]:
    found = inspect(path)
    if IMAGE not in found.schema:  # of pairs
        record = open_record(path)
        if record.batched or record.channels[0] != record.channels[1]:
            raise Pix2PixError(
                f"{path}: expected pairs with as many channels in A as in B, one pair a row, found "
                f"{'batches' if record.batched else record.channels}; prepare the images again"
            )
        rows = tuple(range(len(record)))
        return tuple(Domain(record, rows, *sides) for sides in zip("AB", COLUMNS, strict=True))
    channels = channels_of(found.first[IMAGE], path)
    record = Record(path, False, found.rows, named=True, channels=(channels, channels))
    names = np.array(names_of(path, DOMAIN))
    return tuple(
        Domain(record, tuple(np.flatnonzero(names == name).tolist()), name, IMAGE)
        for name in sorted(set(names.tolist()))
    )
