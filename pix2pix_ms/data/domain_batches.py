"""Batches of images from named domains.

The idea: an epoch is a table drawn from (seed, epoch): for each column of a batch, which image of
which domain. Images are decoded, jittered and batched by the table.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import mindspore.dataset as ds
import numpy as np

from pix2pix_ms.config.settings import Settings
from pix2pix_ms.data.domains import Domain, DomainData
from pix2pix_ms.data.images import decode, fitted, from_pixels, still
from pix2pix_ms.data.pair_batches import JITTER, check_batch, cut, jitter
from pix2pix_ms.data.records import IMAGE, rows_of
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.randomness import Stream, random
from pix2pix_ms.machine.ranks import share

TABLE = 1  # its random numbers; those of the jitter have no such number
WHICH = "which"
Chosen = Sequence[tuple[int, int]]  # (number of a domain, number of an image in it)
Batches = Iterator[tuple[np.ndarray, ...]]


def unpaired(data: DomainData, config: Settings, epoch: int) -> Batches:
    """Yield an epoch's (x, y) of the first two domains, float32 [N, C, H, W], in no pairs.

    Every image of the larger domain comes once, those of the smaller again and again.
    """
    rng = random(config.seed, Stream.PIPELINE, epoch, TABLE)
    length = larger(data)
    columns = []
    for number, domain in enumerate(data.train[:2]):
        rounds = [rng.permutation(len(domain)) for _ in range(-(-length // len(domain)))]
        columns.append([(number, int(place)) for place in np.concatenate(rounds)[:length]])
    for (x, _), (y, _) in epoch_images(columns, data, config, epoch):
        yield x, y


def larger(data: DomainData) -> int:
    """Return how many images of either domain an epoch of `unpaired` has."""
    return max(map(len, data.train[:2]))


def labelled(data: DomainData, config: Settings, epoch: int) -> Batches:
    """Yield an epoch's (images, numbers of their domains), float32 [N, C, H, W] and int32 [N]."""
    rng = random(config.seed, Stream.PIPELINE, epoch, TABLE)
    for (batch,) in epoch_images([shuffled(data, rng)], data, config, epoch):
        yield batch


def with_references(data: DomainData, config: Settings, epoch: int) -> Batches:
    """Yield an epoch's (x, its domain, reference, another reference, their domain).

    Images are float32 [N, C, H, W], domains int32 [N]. The domain to turn an image into is drawn
    from all, two different images of it as references (the same twice where it has but one).
    """
    rng = random(config.seed, Stream.PIPELINE, epoch, TABLE)
    sources = shuffled(data, rng)
    targets = rng.integers(len(data.train), size=len(sources)).tolist()
    sizes = [len(data.train[target]) for target in targets]
    two = [rng.choice(size, 2, replace=size < 2).tolist() for size in sizes]
    first, second = (list(zip(targets, places, strict=True)) for places in zip(*two, strict=True))
    batches = epoch_images([sources, first, second], data, config, epoch)
    for (x, domain), (one, target), (other, _) in batches:
        yield x, domain, one, other, target


def every(data: DomainData) -> int:
    """Return how many images an epoch of `labelled` or `with_references` has."""
    return sum(map(len, data.train))


def shuffled(data: DomainData, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Return every image of every domain once, in a random order."""
    images = [(number, place) for number, d in enumerate(data.train) for place in range(len(d))]
    return [images[index] for index in rng.permutation(len(images)).tolist()]


def check_images(data: DomainData, config: Any, count: int) -> None:
    """Raise Pix2PixError for images whose channels are not the config's, or fewer than a batch.

    `count` is how many an epoch has.
    """
    if data.channels != config.channels:
        raise Pix2PixError(
            f"{data.records[0]}: expected images with {config.channels} channels, as the settings "
            f"have it, found {data.channels}; change the setting or prepare the images again"
        )
    check_batch(count, config, "images")


def epoch_images(
    columns: Sequence[Chosen], data: DomainData, config: Settings, epoch: int
) -> Iterator[list[tuple[np.ndarray, np.ndarray]]]:
    """Yield batches of a rank's part of chosen images: (images, their domains) for each column.

    Images are float32 [N, C, H, W] in [-1, 1], domains int32 [N]. Each image is cropped and
    mirrored by itself, the same for any number of ranks; an incomplete last batch is left out.
    """
    length = len(columns[0])
    check_batch(length, config, "images")
    rng, mine = random(config.seed, Stream.PIPELINE, epoch), share(length, config)
    streams, labels = [], []
    for number, chosen in enumerate(columns):
        crops = jitter(rng, length, config, mine)
        rows = [chosen[place] for place in mine]
        streams.append(jittered(rows, data, config, crops).rename([IMAGE], [str(number)]))
        labels.append(np.array([domain for domain, _ in rows], np.int32))
    together = streams[0] if len(streams) == 1 else ds.zip(tuple(streams))
    batches = together.batch(config.batch_size, drop_remainder=True)
    for count, batch in enumerate(rows_of(batches, data.records[0])):
        some = slice(count * config.batch_size, (count + 1) * config.batch_size)
        yield [(batch[str(number)], domains[some]) for number, domains in enumerate(labels)]


def jittered(
    chosen: Chosen, data: DomainData, config: Settings, crops: dict[str, np.ndarray]
) -> ds.Dataset:
    """Return chosen training images, cropped and mirrored as drawn, in a column `image`."""
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

    drawn = ds.NumpySlicesDataset({WHICH: which, **crops}, shuffle=False)
    rows = sum(more, first).zip(drawn)
    rows = rows.map(draw, [WHICH, *JITTER, *kinds], [IMAGE], num_parallel_workers=1)
    return rows.project([IMAGE])


def plain_images(
    domain: Domain, config: Settings, count: int | None = None
) -> Iterator[np.ndarray]:
    """Yield images of a domain without jitter, float32 [1, C, H, W]; all, or the first `count`."""
    path = domain.record.path
    sampler = ds.SubsetSampler(list(domain.indices[:count]))
    for row in rows_of(ds.MindDataset(str(path), [domain.column], sampler=sampler), path):
        picture = decode(row[domain.column].tobytes(), domain.channels)
        yield from_pixels(still(picture, config.shape, config.fit))[None]
