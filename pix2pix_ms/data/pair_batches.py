"""The dataset a training loop reads: jitter, mirror, normalise, batch (paper, section 6.2).

Everything random is drawn on the host from (seed, epoch) and passed along with its row, so the
result is the same for any number of worker threads, and epoch n is the same whether or not epoch
n - 1 ran in this process. RGB images are decoded and resized by MindSpore's dataset operators,
images of other channels, which those do not know, by Pillow.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import mindspore.dataset as ds
import numpy as np
from mindspore.dataset import vision

from pix2pix_ms.config.pix2pix import LAB, Config
from pix2pix_ms.config.settings import Direction, Settings
from pix2pix_ms.data.facades import is_label_map
from pix2pix_ms.data.images import HALF, Pixels, fitted, resized, shown, still
from pix2pix_ms.data.integrity import index_of
from pix2pix_ms.data.lab import colours_of
from pix2pix_ms.data.records import COLUMNS, SUFFIX, Record, open_record, rows_of
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.randomness import Stream, random
from pix2pix_ms.machine.ranks import share

HELD_OUT_SHARE = 10  # one in ten, where there is no val split
JITTER = ("top", "left", "mirror")
ANYWHERE = 2**31  # the room for crops of images of any size; `cut` takes it modulo theirs
DECIDED = ("input_channels", "target_channels", "colours")  # settings that follow from the pairs
# The network's side of the pipeline: x is the input image, y the target image.
NETWORK_COLUMNS: dict[Direction, tuple[str, str]] = {"AtoB": ("x", "y"), "BtoA": ("y", "x")}


@dataclass(frozen=True)
class Subset:
    """Some pairs or images of a record."""

    record: Record
    indices: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.indices)


Part = TypeVar("Part", bound=Subset)


@dataclass(frozen=True)
class Data:
    """The records a run trains on and is measured on, and which images of them, in words."""

    description: str
    records: tuple[Path, Path]

    @property
    def fingerprint(self) -> str:
        """The sha256 of the records' indexes."""
        indexes = b"".join(index_of(path).read_bytes() for path in self.records)
        return hashlib.sha256(indexes).hexdigest()

    def identity(self) -> dict[str, str]:
        """Return what a run writes down of its data, to recognise it when it is resumed."""
        place = str(self.records[0].absolute())
        return {"train": place, "pairs": self.description, "fingerprint": self.fingerprint}


@dataclass(frozen=True)
class TrainingData(Data):
    """The pairs a run trains on and those it is measured on."""

    train: Subset
    held_out: Subset


def held_out_beside(path: Path) -> tuple[Path, Path | None]:
    """Return the training record of a file or folder, and the record val beside it, if any."""
    path = path / f"train{SUFFIX}" if path.is_dir() else path
    val = path.with_name(f"val{SUFFIX}")
    return path, val if val.is_file() and val != path else None


def training_data(path: Path, seed: int) -> TrainingData:
    """Return the training and held-out pairs of a MindRecord file, or a folder with records.

    Held out is `val.mindrecord` beside the training record if there is one, else a tenth of the
    training pairs, drawn with the seed.

    Raises:
        Pix2PixError: if there is no record, it is unfit, or too small to hold a pair out.
    """
    path, val = held_out_beside(path)
    train = whole(open_record(path))
    if val is not None:
        held_out, origin = whole(open_record(val)), str(val)
    else:
        train, held_out = without_tenth(train, "pairs", seed)
        origin = "the last tenth by seed"
    sentence = f"{len(train)} pairs from {path}; held out: {len(held_out)}, {origin}"
    return TrainingData(sentence, (path, val or path), train, held_out)


def whole(record: Record) -> Subset:
    return Subset(record, tuple(range(len(record))))


def label_maps(subset: Subset) -> list[bool]:
    """Return whether A, and whether B, is a label map, judged by the first pair."""
    (row,) = rows_of(subset.record.dataset(subset.indices[:1]), subset.record.path)
    return [is_label_map(shown(row[column])) for column in COLUMNS]


def without_tenth(part: Part, kind: str, seed: int, *position: int) -> tuple[Part, Part]:
    """Shuffle pairs or images by the seed and cut off the last tenth, at least one."""
    if len(part) < 2:
        raise Pix2PixError(
            f"{part.record.path}: expected 2 {kind} or more, one to hold out, found {len(part)}; "
            "add some"
        )
    order = random(seed, Stream.SPLIT, *position).permutation(np.asarray(part.indices)).tolist()
    last = -(-len(order) // HELD_OUT_SHARE)
    return (
        replace(part, indices=tuple(order[:-last])),
        replace(part, indices=tuple(order[-last:])),
    )


def epoch_data(subset: Subset, config: Config, epoch: int, workers: int = 1) -> ds.Dataset:
    """Return one epoch of training batches: columns x and y, float32 [N, C, height, width].

    Order, crops and mirroring are drawn from (seed, epoch) for all ranks, of which each has its
    rows; an incomplete last batch is left out.

    Raises:
        Pix2PixError: if there are fewer pairs than a batch holds, or of other channels.
    """
    check_batch(len(subset), config)
    check_channels(subset.record, config)
    rng = random(config.seed, Stream.PIPELINE, epoch)
    order = rng.permutation(np.asarray(subset.indices))
    mine = share(len(order), config)
    crops = jitter(rng, len(order), config, mine)
    rows = network_rows(subset, order[mine], config, config.jitter_shape, crops, workers)
    return rows.batch(config.batch_size, drop_remainder=True)


def jitter(
    rng: np.random.Generator, count: int, config: Settings, mine: np.ndarray
) -> dict[str, np.ndarray]:
    """Draw crop and mirroring of `count` images; return those of the images at `mine`."""
    room = np.subtract(config.jitter_shape, config.shape) + 1
    if config.fit == "random-crop":
        room[:] = ANYWHERE
    drawn = {
        "top": rng.integers(room[0], size=count),
        "left": rng.integers(room[1], size=count),
        "mirror": rng.integers(2, size=count) * config.mirror,
    }
    return {name: values[mine] for name, values in drawn.items()}


def check_batch(count: int, config: Settings, kind: str = "pairs") -> None:
    """Refuse fewer pairs, or images, to train on than a batch has."""
    if count < config.global_batch:
        ranks = f" on each of {config.ranks} ranks" * (config.ranks > 1)
        raise Pix2PixError(
            f"batch_size: expected at most the {count} training {kind}, "
            f"found {config.batch_size}{ranks}; take a smaller batch or more {kind}"
        )


def settings_of(record: Record, direction: Direction) -> dict[str, Any]:
    """Return the settings that follow from the pairs: channels of input and target, colours."""
    sides = dict(zip(NETWORK_COLUMNS[direction], record.channels, strict=True))
    x, y = LAB[:2] if record.colours == "lab" else (sides["x"], sides["y"])
    return dict(zip(DECIDED, (x, y, record.colours), strict=True))


def check_channels(record: Record, config: Config) -> None:
    """Refuse pairs whose channels or colours the networks were not made for."""
    for name, value in settings_of(record, config.direction).items():
        if getattr(config, name) != value:
            raise Pix2PixError(
                f"{record.path}: expected pairs with {name} {getattr(config, name)}, as the "
                f"settings have it, found {value}; change the setting or prepare the pairs again"
            )


def plain_data(subset: Subset, config: Config) -> ds.Dataset:
    """Return the pairs one by one without jitter: x and y, float32 [1, C, height, width]."""
    check_channels(subset.record, config)
    return network_rows(subset, subset.indices, config, config.shape).batch(1)


def pairs_of(dataset: ds.Dataset, subset: Subset) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Iterate over a dataset's (x, y), each float32 [N, C, height, width]."""
    for row in rows_of(dataset, subset.record.path):
        yield row["x"], row["y"]


def network_rows(
    subset: Subset,
    order: Iterable[int],
    config: Config,
    shape: tuple[int, int],
    crops: dict[str, np.ndarray] | None = None,
    workers: int = 1,
) -> ds.Dataset:
    """Return pairs in an order as the networks see them: x and y, float32 [C, H, W] in [-1, 1].

    Both images are brought to `shape` as `config.fit` says, bicubic as Pillow does it, so that
    shrinking does not alias; then, with `crops`, both are cropped and mirrored alike. (MindSpore's
    own random crop draws in its worker threads, so its result depends on their number.)
    """
    record, names = subset.record, NETWORK_COLUMNS[config.direction]
    rows = record.dataset(order, workers)
    for column, channels in zip(COLUMNS, record.channels, strict=True):
        resize = (
            vision.Resize(shape, vision.Inter.PILCUBIC)
            if channels == 3 and config.fit == "resize"
            else partial(still if crops is None else fitted, shape=shape, fit=config.fit)
        )
        rows = rows.map(resize, column, num_parallel_workers=workers)
    if crops is not None:

        def cut_pair(a: Pixels, b: Pixels, y: int, x: int, mirror: int) -> tuple[Pixels, Pixels]:
            b = resized(b, *a.shape[:2])  # of another size only where crops are of whole images
            return cut(a, y, x, mirror, config.shape), cut(b, y, x, mirror, config.shape)

        rows = rows.zip(ds.NumpySlicesDataset(crops, shuffle=False))
        rows = rows.map(cut_pair, [*COLUMNS, *JITTER], [*COLUMNS], num_parallel_workers=workers)
        rows = rows.project([*COLUMNS])
    for column, name, channels in zip(COLUMNS, names, record.channels, strict=True):
        half = [HALF] * channels
        steps = [vision.Normalize(half, half), vision.HWC2CHW()]
        if config.colours == "lab" and name == "y":
            steps = [colours_of]
        rows = rows.map(steps, column, num_parallel_workers=workers)
    return rows.rename([*COLUMNS], [*names])


def cut(image: Pixels, top: int, left: int, mirror: int, shape: tuple[int, int]) -> Pixels:
    """Crop an image to a shape at (top, left), modulo the room; mirror it if `mirror` is 1."""
    places = (int(top), int(left))
    rows, columns = (
        slice(start := place % (side - length + 1), start + length)
        for place, side, length in zip(places, image.shape[:2], shape, strict=True)
    )
    return np.ascontiguousarray(image[rows, columns][:, :: -1 if mirror else 1])
