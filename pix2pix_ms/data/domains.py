"""Images that are no pairs: named domains, those to train on and those held out.

The idea: a domain is a named set of images, wherever they lie. CycleGAN learns between two of
them, StarGAN between many, and to a generator from noise they are labels. What an epoch takes of
them is drawn in `domain_batches`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mindspore.dataset as ds
import numpy as np

from pix2pix_ms.data.pair_batches import (
    Subset,
    fingerprint_of,
    held_out_beside,
    training_data,
    whole,
    without_tenth,
)
from pix2pix_ms.data.records import (
    COLUMNS,
    DOMAIN,
    IMAGE,
    channels_of,
    inspect,
    open_record,
    rows_of,
)
from pix2pix_ms.errors import Pix2PixError

PAIR_DOMAINS = dict(zip(COLUMNS, ("A", "B"), strict=True))


@dataclass(frozen=True)
class Domain:
    """Some images of one kind: rows of a column of a record."""

    name: str
    path: Path
    column: str
    rows: tuple[int, ...]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.rows)


@dataclass(frozen=True)
class DomainData:
    """What a run trains on and what it holds out, domain by domain in the same order.

    `pairs` are held-out pairs of the first two domains, where such are known.
    """

    train: tuple[Domain, ...]
    held_out: tuple[Domain, ...]
    channels: int
    pairs: Subset | None
    description: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the domains."""
        return tuple(domain.name for domain in self.train)

    @property
    def fingerprint(self) -> str:
        """What tells these records from others."""
        return fingerprint_of(self.train[0].path, self.held_out[0].path)

    def identity(self) -> dict[str, str]:
        """Return what a run notes of its data: where it is, which it is, and the sentence."""
        place = str(self.train[0].path.absolute())
        return {"train": place, "pairs": self.description, "fingerprint": self.fingerprint}


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
    every, channels = domains_of(path)
    if val is not None:
        train, (held_out, theirs) = every, domains_of(val)
        origin = str(val)
        check_alike(train, held_out, channels, theirs)
        pairs = whole(open_record(val)) if has_pairs(val) else None
    elif has_pairs(path):
        data = training_data(path, seed)
        train, held_out = (among(every, subset.indices) for subset in (data.train, data.held_out))
        origin, pairs = "the last tenth by seed", data.held_out
    else:
        train, held_out = divided(every, seed)
        origin, pairs = "a tenth of each by seed", None
    counts = ", ".join(f"{domain.name} {len(domain)}" for domain in train)
    held = sum(map(len, held_out))
    sentence = f"images from {path}: {counts}; held out: {held}, {origin}"
    return DomainData(train, held_out, channels, pairs, sentence)


def has_pairs(path: Path) -> bool:
    """Tell a record of pairs from one of images."""
    return IMAGE not in inspect(path).schema


def domains_of(path: Path) -> tuple[tuple[Domain, ...], int]:
    """Return all images of a record by domain, and their channels."""
    if has_pairs(path):
        record = open_record(path)
        if record.batched or record.channels[0] != record.channels[1]:
            raise Pix2PixError(
                f"{path}: expected pairs with as many channels in A as in B, one pair a row, found "
                f"{'batches' if record.batched else record.channels}; prepare the images again"
            )
        rows = tuple(range(len(record)))
        domains = [Domain(name, path, column, rows) for column, name in PAIR_DOMAINS.items()]
        return tuple(domains), record.channels[0]
    named = ds.MindDataset(str(path), [DOMAIN], shuffle=False)
    names = np.array([str(row[DOMAIN]) for row in rows_of(named, path)])
    found = [
        Domain(name, path, IMAGE, tuple(np.flatnonzero(names == name).tolist()))
        for name in sorted(set(names.tolist()))
    ]
    return tuple(found), channels_of(inspect(path).first[IMAGE], path)


def among(domains: Sequence[Domain], rows: Sequence[int]) -> tuple[Domain, ...]:
    """Return domains with these rows alone."""
    return tuple(Domain(d.name, d.path, d.column, tuple(rows)) for d in domains)


def divided(domains: Sequence[Domain], seed: int) -> tuple[tuple[Domain, ...], tuple[Domain, ...]]:
    """Divide each domain into training and held-out images by the seed."""
    train: list[Domain] = []
    held_out: list[Domain] = []
    for number, domain in enumerate(domains):
        if len(domain) < 2:
            raise Pix2PixError(
                f"{domain.path}: expected 2 images or more in {domain.name}, one to hold out, "
                f"found {len(domain)}; add images"
            )
        stays, leaves = without_tenth(domain.rows, seed, number)
        train += among([domain], stays)
        held_out += among([domain], leaves)
    return tuple(train), tuple(held_out)


def check_alike(
    train: Sequence[Domain], held_out: Sequence[Domain], channels: int, theirs: int
) -> None:
    """Refuse held-out images of other domains or channels than those trained on."""
    ours, others = ([domain.name for domain in domains] for domains in (train, held_out))
    if ours != others or channels != theirs:
        raise Pix2PixError(
            f"{held_out[0].path}: expected domains {', '.join(ours)} with {channels} channels as "
            f"in {train[0].path.name}, found {', '.join(others)} with {theirs}; prepare both again"
        )
