"""Images that are no pairs: named domains, those to train on and those held out.

The idea: a domain is a named set of images, wherever they lie. CycleGAN learns between two of
them, StarGAN between many, and to a generator from noise they are labels. What an epoch consists
of is drawn in `domain_batches`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pix2pix_ms.data.pair_batches import (
    Data,
    Subset,
    held_out_beside,
    whole,
    without_tenth,
)
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
    """Some images of one kind: rows of a column of a record."""

    name: str
    column: str


@dataclass(frozen=True)
class DomainData(Data):
    """What a run trains on and what it holds out, domain by domain in the same order.

    `pairs` are held-out pairs of the first two domains, where such are known.
    """

    train: tuple[Domain, ...]
    held_out: tuple[Domain, ...]
    pairs: Subset | None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the domains."""
        return tuple(domain.name for domain in self.train)

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return self.train[0].record.channels[0]


def domain_data(path: Path, seed: int) -> DomainData:
    """Return the domains of a MindRecord file, or of a folder with records.

    A record of images has the domains it names, in alphabetical order; a record of pairs has A and
    B. Held out is `val.mindrecord` beside the record if there is one, else a tenth of each domain
    (of pairs: of the pairs) drawn with the seed.

    Raises:
        Pix2PixError: if there is no record, it is unfit, a domain is too small to hold an image
            out, or held-out and training domains differ.
    """
    path, val = held_out_beside(path)
    train, pairs = domains_of(path), None
    if val is not None:
        held_out, origin = domains_of(val), str(val)
        check_alike(train, held_out)
        pairs = whole(held_out[0].record) if has_pairs(val) else None
    elif has_pairs(path):
        rest, pairs = without_tenth(whole(train[0].record), "pairs", seed)
        train, held_out = (
            tuple(replace(domain, indices=part.indices) for domain in train)
            for part in (rest, pairs)
        )
        origin = "the last tenth by seed"
    else:
        divided = [
            without_tenth(domain, f"images of {domain.name}", seed, number)
            for number, domain in enumerate(train)
        ]
        train, held_out = zip(*divided, strict=True)
        origin = "a tenth of each by seed"
    counts = ", ".join(f"{domain.name} {len(domain)}" for domain in train)
    count = sum(map(len, held_out))
    sentence = f"images from {path}: {counts}; held out: {count}, {origin}"
    return DomainData(sentence, (path, val or path), train, held_out, pairs)


def has_pairs(path: Path) -> bool:
    """Return whether a record is of pairs, not of images."""
    return IMAGE not in inspect(path).schema


def domains_of(path: Path) -> tuple[Domain, ...]:
    """Return all images of a record by domain."""
    if has_pairs(path):
        record = open_record(path)
        if record.batched or record.channels[0] != record.channels[1]:
            raise Pix2PixError(
                f"{path}: expected pairs with as many channels in A as in B, one pair a row, found "
                f"{'batches' if record.batched else record.channels}; prepare the images again"
            )
        rows = tuple(range(len(record)))
        return tuple(Domain(record, rows, *sides) for sides in zip("AB", COLUMNS, strict=True))
    found = inspect(path)
    channels = channels_of(found.first[IMAGE], path)
    record = Record(path, False, found.rows, named=True, channels=(channels, channels))
    names = np.array(names_of(path, DOMAIN))
    return tuple(
        Domain(record, tuple(np.flatnonzero(names == name).tolist()), name, IMAGE)
        for name in sorted(set(names.tolist()))
    )


def check_alike(train: Sequence[Domain], held_out: Sequence[Domain]) -> None:
    """Refuse held-out images of other domains or channels than those trained on."""
    ours, theirs = (
        f"{', '.join(domain.name for domain in domains)} with {domains[0].record.channels[0]}"
        for domains in (train, held_out)
    )
    if ours != theirs:
        raise Pix2PixError(
            f"{held_out[0].record.path}: expected domains {ours} channels as in "
            f"{train[0].record.path.name}, found {theirs}; prepare both again"
        )
