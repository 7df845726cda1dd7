"""Batches of images from named domains.

The idea: the images of an epoch and their order are drawn first, from (seed, epoch); then they are
decoded, jittered and batched.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import mindspore.dataset as ds
import numpy as np

from pix2pix_ms.config.settings import Settings
from pix2pix_ms.data.domains import Domain, DomainData
from pix2pix_ms.data.images import decode, fitted, from_pixels, still
from pix2pix_ms.data.pair_batches import JITTER, check_batch, cut, jitter
from pix2pix_ms.data.records import DOMAIN, IMAGE, rows_of
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.randomness import Stream, random
from pix2pix_ms.machine.ranks import share

CHOICE = 1  # the random stream of which images are in an epoch; that of the jitter has no number
WHICH = "which"
Chosen = Sequence[tuple[int, int]]  # (number of a domain, number of an image in it)
Batches = Iterator[tuple[np.ndarray, ...]]


def unpaired(data: DomainData, config: Settings, epoch: int) -> Batches:
    """Yield an epoch's (x, y) of the first two domains, float32 [N, C, H, W], in random pairs.

    Every image of the larger domain comes once, those of the smaller repeat.
    """
    rng = random(config.seed, Stream.PIPELINE, epoch, CHOICE)
    length = larger(data)
    columns = []
    for number, domain in enumerate(data.train[:2]):
        rounds = [rng.permutation(len(domain)) for _ in range(-(-length // len(domain)))]
        columns.append([(number, int(place)) for place in np.concatenate(rounds)[:length]])
    for (x, _), (y, _) in epoch_images(columns, data, config, epoch):
        yield x, y


def larger(data: DomainData) -> int:
    """Return the number of images of either domain in an epoch of `unpaired`."""
    return max(map(len, data.train[:2]))


def labelled(data: DomainData, config: Settings, epoch: int) -> Batches:
    """Yield an epoch's (images, numbers of their domains), float32 [N, C, H, W] and int32 [N]."""
    rng = random(config.seed, Stream.PIPELINE, epoch, CHOICE)
    for (batch,) in epoch_images([shuffled(data, rng)], data, config, epoch):
        yield batch


def with_references(data: DomainData, config: Settings, epoch: int) -> Batches:
    """Yield an epoch's (x, its domain, reference, another reference, their domain).

    Images are float32 [N, C, H, W], domains int32 [N]. The target domain of each image is drawn
    from all, and two different images of it as references (the same twice if it has only one).
    """
    rng = random(config.seed, Stream.PIPELINE, epoch, CHOICE)
    sources = shuffled(data, rng)
    targets = rng.integers(len(data.train), size=len(sources)).tolist()
    sizes = [len(data.train[target]) for target in targets]
    two = [rng.choice(size, 2, replace=size < 2).tolist() for size in sizes]
    first, second = (list(zip(targets, places, strict=True)) for places in zip(*two, strict=True))
    batches = epoch_images([sources, first, second], data, config, epoch)
    for (x, domain), (one, target), (other, _) in batches:
        yield x, domain, one, other, target


def every(data: DomainData) -> int:
    """Return the number of images in an epoch of `labelled` or `with_references`."""
    return sum(map(len, data.train))


def shuffled(data: DomainData, rng: np.random.Generator) -> list[tuple[int, int]]:
    images = [(number, place) for number, d in enumerate(data.train) for place in range(len(d))]
    return [images[index] for index in rng.permutation(len(images)).tolist()]


def check_images(data: DomainData, config: Any, count: int) -> None:
    """Refuse images with other channels than the config's, or fewer in an epoch than a batch."""
    if data.channels != config.channels:
        raise Pix2PixError(
            f"{data.records[0]}: expected images with {config.channels} channels, as the settings "
            f"have it, found {data.channels}; change the setting or prepare the images again"
        )
    check_batch(count, config, "images")


def epoch_images(
    columns: Sequence[Chosen], data: DomainData, config: Settings, epoch: int
) -> Iterator[list[tuple[np.ndarray, np.ndarray]]]:
    """Yield batches of this rank's part of chosen images: (images, their domains) for each column.

    Images are float32 [N, C, H, W] in [-1, 1], domains int32 [N]. Each image is cropped and
    mirrored independently, alike for any number of ranks; an incomplete last batch is left out.
    """
    length = len(columns[0])
    check_batch(length, config, "images")
    rng, mine = random(config.seed, Stream.PIPELINE, epoch), share(length, config)
    names = [(f"{IMAGE}{number}", f"{DOMAIN}{number}") for number in range(len(columns))]
    streams = []
    for chosen, both in zip(columns, names, strict=True):
        crops = jitter(rng, length, config, mine)
        rows = jittered([chosen[place] for place in mine], data, config, crops)
        streams.append(rows.rename([IMAGE, DOMAIN], [*both]))
    together = streams[0] if len(streams) == 1 else ds.zip(tuple(streams))
    batches = together.batch(config.batch_size, drop_remainder=True)
    for batch in rows_of(batches, data.records[0]):
        yield [(batch[image], batch[domain]) for image, domain in names]


def jittered(
    chosen: Chosen, data: DomainData, config: Settings, crops: dict[str, np.ndarray]
) -> ds.Dataset:
    """Return chosen training images, cropped and mirrored as drawn, and their domains."""
    kinds = list(dict.fromkeys(domain.column for domain in data.train))
    places = [data.train[number].indices[place] for number, place in chosen]
    which = np.array([kinds.index(data.train[number].column) for number, _ in chosen])
    # No sampler may have more rows than the record (MindSpore 2.7 to 2.10).
    most = data.train[0].record.rows
    samplers = [ds.SubsetSampler(places[i : i + most]) for i in range(0, len(places), most)]
    first, *more = (
        ds.MindDataset(str(data.records[0]), kinds, num_parallel_workers=1, sampler=sampler)
        for sampler in samplers
    )

    def draw(which: int, top: int, left: int, mirror: int, *encoded: np.ndarray) -> np.ndarray:
        picture = decode(encoded[int(which)].tobytes(), data.channels)
        grown = fitted(picture, config.jitter_shape, config.fit)
        return from_pixels(cut(grown, top, left, mirror, config.shape))

    domains = np.array([number for number, _ in chosen], np.int32)
    drawn = ds.NumpySlicesDataset({DOMAIN: domains, WHICH: which, **crops}, shuffle=False)
    rows = sum(more, first).zip(drawn)
    rows = rows.map(draw, [WHICH, *JITTER, *kinds], [IMAGE], num_parallel_workers=1)
    return rows.project([IMAGE, DOMAIN])


def plain_images(
    domain: Domain, config: Settings, count: int | None = None
) -> Iterator[np.ndarray]:
    """Yield all or the first `count` images of a domain without jitter, float32 [1, C, H, W]."""
    path = domain.record.path
    sampler = ds.SubsetSampler(list(domain.indices[:count]))
    for row in rows_of(ds.MindDataset(str(path), [domain.column], sampler=sampler), path):
        picture = decode(row[domain.column].tobytes(), domain.channels)
        yield from_pixels(still(picture, config.shape, config.fit))[None]
