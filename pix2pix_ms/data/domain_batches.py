"""What an epoch takes of domains, and batches of it.

The idea: an epoch is a table drawn from (seed, epoch): for each column of a batch, which image of
which domain. Images are decoded, jittered and batched by the table.
"""

from collections.abc import Iterator, Sequence

import mindspore.dataset as ds
import numpy as np

from pix2pix_ms.config.settings import Settings
from pix2pix_ms.data.domains import Domain, DomainData
from pix2pix_ms.data.images import decode, fitted, from_pixels
from pix2pix_ms.data.pair_batches import JITTER, check_batch, cut, jitter
from pix2pix_ms.data.records import IMAGE, rows_of
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.randomness import Stream, random
from pix2pix_ms.machine.ranks import share, shared

WHICH = "which"
Chosen = Sequence[tuple[int, int]]  # (number of a domain, number of an image in it)


def unpaired(
    data: DomainData, config: Settings, epoch: int, rank: int = 0
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield an epoch's (x, y) of the first two domains, float32 [N, C, H, W], in no pairs.

    Every image of the larger domain comes once, those of the smaller again and again.
    """
    rng = random(config.seed, Stream.PIPELINE, epoch, 1)
    length = larger(data)
    columns = []
    for number, domain in enumerate(data.train[:2]):
        rounds = [rng.permutation(len(domain)) for _ in range(-(-length // len(domain)))]
        columns.append([(number, int(place)) for place in np.concatenate(rounds)[:length]])
    yield from epoch_images(columns, data, config, epoch, rank)


def larger(data: DomainData) -> int:
    """Return how many images `unpaired` takes of either domain in an epoch."""
    return max(map(len, data.train[:2]))


def labelled(
    data: DomainData, config: Settings, epoch: int, rank: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield an epoch's (images, numbers of their domains), float32 [N, C, H, W] and int32 [N]."""
    rng = random(config.seed, Stream.PIPELINE, epoch, 1)
    chosen = shuffled(data.train, rng)
    labels = labels_of(shared(chosen, config, rank), config.batch_size)
    batches = epoch_images([chosen], data, config, epoch, rank)
    for (images,), label in zip(batches, labels, strict=False):
        yield images, label


def with_references(
    data: DomainData, config: Settings, epoch: int, rank: int = 0
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
    batches = epoch_images([sources, first, second], data, config, epoch, rank)
    labels = (
        labels_of(shared(chosen, config, rank), config.batch_size) for chosen in (sources, first)
    )
    for (x, one, other), own, target in zip(batches, *labels, strict=False):
        yield x, own, one, other, target


def every(data: DomainData) -> int:
    """Return how many images `labelled` and `with_references` take in an epoch."""
    return sum(map(len, data.train))


def shuffled(domains: Sequence[Domain], rng: np.random.Generator) -> list[tuple[int, int]]:
    """Return every image of every domain once, in a random order."""
    images = [(number, place) for number, d in enumerate(domains) for place in range(len(d))]
    return [images[index] for index in rng.permutation(len(images)).tolist()]


def labels_of(chosen: Chosen, batch_size: int) -> Iterator[np.ndarray]:
    """Yield the domains of chosen images batch by batch, int32 [N]."""
    labels = np.array([number for number, _ in chosen], np.int32)
    for start in range(0, len(labels), batch_size):
        yield labels[start : start + batch_size]


def check_images(data: DomainData, config: Settings, wanted: int, count: int) -> None:
    """Refuse images of other channels than the networks have, or fewer than a batch holds.

    Args:
        wanted: the channels of the networks' images.
        count: the images of an epoch.
    """
    if data.channels != wanted:
        raise Pix2PixError(
            f"{data.records[0]}: expected images with {wanted} channels, as the settings have "
            f"it, found {data.channels}; change the setting or prepare the images again"
        )
    check_batch(count, config, "images")


def epoch_images(
    columns: Sequence[Chosen], data: DomainData, config: Settings, epoch: int, rank: int
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield batches of a rank's share of chosen images, float32 [N, C, H, W] for each column.

    In [-1, 1]. Each image has crop and mirroring of its own, the same for any number of ranks; an
    incomplete last batch is left out.
    """
    check_batch(len(columns[0]), config, "images")
    rng = random(config.seed, Stream.PIPELINE, epoch)
    streams, mine = [], share(len(columns[0]), config, rank)
    for number, chosen in enumerate(columns):
        crops = jitter(rng, len(chosen), config, mine)
        stream = jittered(shared(chosen, config, rank), data, config, crops)
        streams.append(stream.rename([IMAGE], [str(number)]))
    rows = streams[0] if len(streams) == 1 else ds.zip(tuple(streams))
    batches = rows.batch(config.batch_size, drop_remainder=True)
    for row in rows_of(batches, data.records[0]):
        yield tuple(row[str(number)] for number in range(len(columns)))


def jittered(
    chosen: Chosen, data: DomainData, config: Settings, crops: dict[str, np.ndarray]
) -> ds.Dataset:
    """Return chosen training images, cropped and mirrored as drawn, in a column `image`."""
    kinds = list(dict.fromkeys(domain.column for domain in data.train))
    rows = [data.train[number].indices[place] for number, place in chosen]
    which = np.array([kinds.index(data.train[number].column) for number, _ in chosen])
    path = str(data.records[0])
    # A sampler takes no more rows than the record has (MindSpore 2.7 to 2.10).
    most = data.train[0].record.rows
    parts = [ds.SubsetSampler(rows[start : start + most]) for start in range(0, len(rows), most)]
    stored = ds.MindDataset(path, kinds, num_parallel_workers=1, sampler=parts[0])
    for part in parts[1:]:
        stored = stored + ds.MindDataset(path, kinds, num_parallel_workers=1, sampler=part)

    def draw(which: int, top: int, left: int, mirror: int, *encoded: np.ndarray) -> np.ndarray:
        picture = decode(encoded[int(which)].tobytes(), data.channels)
        grown = fitted(picture, config.jitter_shape, config.fit)
        return from_pixels(cut(grown, top, left, mirror, config.shape))

    drawn = ds.NumpySlicesDataset({WHICH: which, **crops}, shuffle=False)
    return (
        stored.zip(drawn)
        .map(draw, [WHICH, *JITTER, *kinds], [IMAGE], num_parallel_workers=1)
        .project([IMAGE])
    )


def plain_images(
    domain: Domain, config: Settings, channels: int, count: int | None = None
) -> Iterator[np.ndarray]:
    """Yield images of a domain without jitter, float32 [1, C, H, W]; all, or the first `count`."""
    path = domain.record.path
    sampler = ds.SubsetSampler(list(domain.indices[:count]))
    for row in rows_of(ds.MindDataset(str(path), [domain.column], sampler=sampler), path):
        picture = decode(row[domain.column].tobytes(), channels)
        yield from_pixels(fitted(picture, config.shape, config.fit))[None]
