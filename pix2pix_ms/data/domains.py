"""Images that are no pairs: domains, what an epoch takes of them, and batches.

The idea: a domain is a named set of images, wherever they lie. CycleGAN learns between two of
them, StarGAN between many, and to a generator from noise they are labels. What an epoch takes is
a table drawn from (seed, epoch): for each column of a batch, which image of which domain.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import mindspore.dataset as ds
import numpy as np

from pix2pix_ms.data.images import Pixels, decode, fitted
from pix2pix_ms.data.pipeline import (
    HELD_OUT_SHARE,
    JITTER,
    Subset,
    cut,
    fingerprint_of,
    held_out_beside,
    training_data,
    whole,
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
from pix2pix_ms.device import Stream, random
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.settings import Settings

PAIR_DOMAINS = dict(zip(COLUMNS, ("A", "B"), strict=True))
WHICH = "which"
Chosen = Sequence[tuple[int, int]]  # (number of a domain, number of an image in it)


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
        order = random(seed, Stream.SPLIT, number).permutation(domain.rows).tolist()
        held = -(-len(order) // HELD_OUT_SHARE)
        train += among([domain], order[:-held])
        held_out += among([domain], order[-held:])
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


def unpaired(data: DomainData, config: Settings, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield an epoch's (x, y) of the first two domains, float32 [N, C, H, W], in no pairs.

    Every image of the larger domain comes once, those of the smaller again and again.
    """
    rng = random(config.seed, Stream.PIPELINE, epoch, 1)
    length = unpaired_steps(data, config) * config.batch_size
    columns = []
    for number, domain in enumerate(data.train[:2]):
        rounds = [rng.permutation(len(domain)) for _ in range(-(-length // len(domain)))]
        columns.append([(number, int(place)) for place in np.concatenate(rounds)[:length]])
    yield from epoch_images(columns, data, config, epoch)


def unpaired_steps(data: DomainData, config: Settings) -> int:
    """Return how many batches `unpaired` yields."""
    return max(map(len, data.train[:2])) // config.batch_size


def labelled(
    data: DomainData, config: Settings, epoch: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield an epoch's (images, numbers of their domains), float32 [N, C, H, W] and int32 [N]."""
    rng = random(config.seed, Stream.PIPELINE, epoch, 1)
    chosen = shuffled(data.train, rng)
    labels = labels_of(chosen, config.batch_size)
    for (images,), label in zip(epoch_images([chosen], data, config, epoch), labels, strict=False):
        yield images, label


def with_references(
    data: DomainData, config: Settings, epoch: int
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield an epoch's (x, its domain, reference, another reference, their domain).

    Images are float32 [N, C, H, W], domains int32 [N]. The domain to turn an image into is drawn
    from all, two different images of it as references (the same twice where it has but one).
    """
    rng = random(config.seed, Stream.PIPELINE, epoch, 1)
    sources = shuffled(data.train, rng)
    wanted = rng.integers(len(data.train), size=len(sources)).tolist()
    two = [
        rng.choice(len(domain), 2, replace=len(domain) < 2).tolist()
        for domain in (data.train[number] for number in wanted)
    ]
    first, second = (
        [(number, places[which]) for number, places in zip(wanted, two, strict=True)]
        for which in range(2)
    )
    batches = epoch_images([sources, first, second], data, config, epoch)
    labels = (labels_of(chosen, config.batch_size) for chosen in (sources, first))
    for (x, one, other), own, target in zip(batches, *labels, strict=False):
        yield x, own, one, other, target


def all_steps(data: DomainData, config: Settings) -> int:
    """Return how many batches `labelled` and `with_references` yield."""
    return sum(map(len, data.train)) // config.batch_size


def shuffled(domains: Sequence[Domain], rng: np.random.Generator) -> list[tuple[int, int]]:
    """Return every image of every domain once, in a random order."""
    every = [(number, place) for number, d in enumerate(domains) for place in range(len(d))]
    return [every[index] for index in rng.permutation(len(every)).tolist()]


def labels_of(chosen: Chosen, batch_size: int) -> Iterator[np.ndarray]:
    """Yield the domains of chosen images batch by batch, int32 [N]."""
    labels = np.array([number for number, _ in chosen], np.int32)
    for start in range(0, len(labels), batch_size):
        yield labels[start : start + batch_size]


def check_images(data: DomainData, config: Settings, wanted: int) -> None:
    """Refuse images of other channels than the networks have, or fewer than a batch holds.

    Args:
        wanted: the channels of the networks' images.
    """
    place = data.train[0].path
    if data.channels != wanted:
        raise Pix2PixError(
            f"{place}: expected images with {wanted} channels, as the settings have it, found "
            f"{data.channels}; change the setting or prepare the images again"
        )
    most = sum(map(len, data.train))
    if most < config.batch_size:
        raise Pix2PixError(
            f"batch_size: expected at most the {most} training images, found {config.batch_size}; "
            "take a smaller batch or more images"
        )


def epoch_images(
    columns: Sequence[Chosen], data: DomainData, config: Settings, epoch: int
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield batches of chosen images, float32 [N, C, H, W] in [-1, 1] for each column.

    Each image has crop and mirroring of its own; an incomplete last batch is left out.
    """
    rng = random(config.seed, Stream.PIPELINE, epoch)
    room = np.subtract(config.jitter_shape, config.shape) + 1
    streams = []
    for number, chosen in enumerate(columns):
        jitter = {
            "top": rng.integers(room[0], size=len(chosen)),
            "left": rng.integers(room[1], size=len(chosen)),
            "mirror": rng.integers(2, size=len(chosen)) * config.mirror,
        }
        stream = jittered(chosen, data, config, jitter)
        streams.append(stream.rename([IMAGE], [str(number)]))
    rows = streams[0] if len(streams) == 1 else ds.zip(tuple(streams))
    batches = rows.batch(config.batch_size, drop_remainder=True)
    for row in rows_of(batches, data.train[0].path):
        yield tuple(row[str(number)] for number in range(len(columns)))


def jittered(
    chosen: Chosen, data: DomainData, config: Settings, jitter: dict[str, np.ndarray]
) -> ds.Dataset:
    """Return chosen training images under given jitter, in a column `image`."""
    kinds = list(dict.fromkeys(domain.column for domain in data.train))
    rows = [data.train[number].rows[place] for number, place in chosen]
    which = np.array([kinds.index(data.train[number].column) for number, _ in chosen])
    path = data.train[0].path
    # A sampler takes no more rows than the record has (MindSpore 2.7 to 2.10).
    most = 1 + max(max(domain.rows) for domain in data.train)
    parts = [ds.SubsetSampler(rows[start : start + most]) for start in range(0, len(rows), most)]
    stored = ds.MindDataset(str(path), kinds, num_parallel_workers=1, sampler=parts[0])
    for part in parts[1:]:
        stored = stored + ds.MindDataset(str(path), kinds, num_parallel_workers=1, sampler=part)
    drawn = ds.NumpySlicesDataset({WHICH: which, **jitter}, shuffle=False)
    draw = Jitter(config, data.channels)
    return (
        stored.zip(drawn)
        .map(draw, [WHICH, *JITTER, *kinds], [IMAGE], num_parallel_workers=1)
        .project([IMAGE])
    )


class Jitter:
    """Decodes an image, resizes it, takes a window, mirrors it, and scales it for the networks."""

    def __init__(self, config: Settings, channels: int) -> None:
        self.config, self.channels = config, channels

    def __call__(
        self, which: int, top: int, left: int, mirror: int, *encoded: np.ndarray
    ) -> np.ndarray:
        """Return float32 [C, H, W] in [-1, 1] of the image that `which` says."""
        picture = decode(encoded[int(which)].tobytes(), self.channels)
        grown = fitted(picture, self.config.jitter_shape, self.config.fit)
        return scaled(cut(grown, top, left, mirror, self.config.shape))


def scaled(picture: Pixels) -> np.ndarray:
    """Turn uint8 [H, W, C] into float32 [C, H, W] in [-1, 1]."""
    return np.moveaxis(picture.astype(np.float32) / 127.5 - 1, -1, 0).copy()


def plain_images(
    domain: Domain, config: Settings, channels: int, count: int | None = None
) -> Iterator[np.ndarray]:
    """Yield images of a domain without jitter, float32 [1, C, H, W]; all, or the first `count`."""
    stored = ds.MindDataset(
        str(domain.path), [domain.column], sampler=ds.SubsetSampler(list(domain.rows[:count]))
    )
    for row in rows_of(stored, domain.path):
        picture = decode(row[domain.column].tobytes(), channels)
        yield scaled(fitted(picture, config.shape, config.fit))[None]
