"""Pairs read back from MindRecord: our layout, and that of the published MindSpore archive.

Ours has a pair a row: both images encoded as PNG or JPEG, its name, and the colours in which it is
learned. The published one (`dataset_pix2pix/train.mindrecord`) has a whole batch a row, float32
[N, 3, H, W] in [-1, 1]; the types of its columns tell it apart.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import mindspore.dataset as ds
import numpy as np
from mindspore.dataset import vision
from mindspore.mindrecord import FileReader
from PIL import Image

from pix2pix_ms.config.settings import Colours, check_choice
from pix2pix_ms.data.images import MODES, Pair, Pixels, decode, to_pixels
from pix2pix_ms.data.integrity import check_files
from pix2pix_ms.errors import Pix2PixError, first_line

COLUMNS = ("input_images", "target_images")
NAME = "name"
COLOURS = "colours"
IMAGE, DOMAIN = "image", "domain"  # columns of a record of images that are no pairs
SUFFIX = ".mindrecord"


@dataclass(frozen=True)
class Record:
    """A MindRecord file that was checked, in either layout; `batched` is the published one.

    `named`: whether its pairs have names; ours do, others' may not. `channels`: of A and of B.
    `colours`: what is learned of them, as in `Config.colours`.
    """

    path: Path
    batched: bool
    rows: int
    named: bool
    channels: tuple[int, int] = (3, 3)
    colours: Colours = "rgb"

    def __len__(self) -> int:
        return len(self.unbatched) if self.batched else self.rows

    def dataset(self, indices: Iterable[int], workers: int = 1) -> ds.Dataset:
        """Return the pairs at `indices`, in that order: two columns, uint8 [H, W, channels]."""
        sampler = ds.SubsetSampler([int(index) for index in indices])
        if self.batched:
            return ds.GeneratorDataset(self.unbatched, [*COLUMNS], sampler=sampler)
        rows = ds.MindDataset(
            str(self.path), [*COLUMNS], num_parallel_workers=workers, sampler=sampler
        )
        for column, channels in zip(COLUMNS, self.channels, strict=True):
            rows = rows.map(decoder(channels), column, num_parallel_workers=workers)
        return rows

    def names(self) -> list[str]:
        """Return the pairs' names; pairs without are called after the file, counted from 0."""
        if self.named:
            return names_of(self.path, NAME)
        return [f"{self.path.stem}_{number}" for number in range(len(self))]

    @cached_property
    def unbatched(self) -> list[tuple[Pixels, Pixels]]:
        """The pairs of the published layout, uint8 [H, W, 3] each."""
        rows = ds.MindDataset(str(self.path), list(COLUMNS), shuffle=False)
        pairs: list[tuple[Pixels, Pixels]] = []
        for number, row in enumerate(rows_of(rows, self.path)):
            batches = [row[column] for column in COLUMNS]
            check_published(self.path, number, *batches)
            pairs += zip(*map(to_pixels, batches), strict=True)
        return pairs


def names_of(path: Path, *columns: str) -> list[str]:
    """Return these columns of text of each row, joined by a slash."""
    rows = ds.MindDataset(str(path), [*columns], shuffle=False)
    return ["/".join(str(row[column]) for column in columns) for row in rows_of(rows, path)]


def decoder(channels: int) -> Callable[[np.ndarray], Pixels]:
    """Return the function that decodes an image of a row; MindSpore's own knows only RGB."""
    if channels == 3:
        return vision.Decode()
    return lambda data: decode(data.tobytes(), channels)


def check_published(path: Path, row: int, a: np.ndarray, b: np.ndarray) -> None:
    """Refuse a row of the published layout whose shapes or values are off."""
    for column, batch in zip(COLUMNS, (a, b), strict=True):
        if batch.ndim != 4 or batch.shape[1] != 3 or batch.shape != a.shape:
            raise Pix2PixError(
                f"{path}: row {row}, column {column}: expected [N, 3, H, W], the same for both "
                f"columns, found {list(batch.shape)}; prepare the images again"
            )
        low, high = float(batch.min()), float(batch.max())
        if not (low >= -1.001 and high <= 1.001):  # written so that NaN fails too
            raise Pix2PixError(
                f"{path}: row {row}, column {column}: expected values in [-1, 1], found "
                f"{low:.4g} to {high:.4g}; scale the images before writing"
            )


def open_record(path: Path) -> Record:
    """Check a MindRecord file and return it ready to read.

    Raises:
        Pix2PixError: if it or its `.db` is missing, it was renamed, is damaged, or its columns
            are not those of either layout.
    """
    schema, rows, first = inspect(path)
    kinds = [schema.get(column, {}).get("type") for column in COLUMNS]
    if kinds not in (["bytes"] * 2, ["float32"] * 2):
        found = ", ".join(f"{name} ({entry.get('type')})" for name, entry in schema.items())
        raise Pix2PixError(
            f"{path}: expected columns {' and '.join(COLUMNS)}, of encoded images or float32 "
            f"batches, found {found}; write it with pix2pix-ms prepare"
        )
    batched, named = kinds[0] == "float32", NAME in schema
    if batched or COLOURS not in schema:  # of an earlier version, or another's: decoded to RGB
        return Record(path, batched, rows, named)
    a, b = (channels_of(first[column], path) for column in COLUMNS)
    colours: Colours = first[COLOURS]
    check_choice(f"{path}: colours", Colours, colours)
    return Record(path, batched, rows, named, (a, b), colours)


class Inspected(NamedTuple):
    """The columns of a MindRecord file, the number of its rows, and its first row."""

    schema: dict[str, dict[str, Any]]
    rows: int
    first: dict[str, Any]


def inspect(path: Path) -> Inspected:
    """Check a MindRecord file and read its schema and first row; raises as `open_record` does."""
    check_files(path)
    try:
        reader = FileReader(str(path))
        found = Inspected(reader.schema(), reader.len(), next(reader.get_next()))
        reader.close()
    except (RuntimeError, ValueError, KeyError, StopIteration) as error:
        raise Pix2PixError(
            f"{path}: expected a MindRecord file, found a damaged one; write it again"
        ) from error
    return found


def channels_of(data: bytes, path: Path) -> int:
    """Return the number of channels of an encoded image of the record `path`."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return {mode: count for count, mode in MODES.items()}.get(image.mode, 3)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Pix2PixError(
            f"{path}: expected images that decode, found a damaged row; write the record again"
        ) from error


def rows_of(dataset: ds.Dataset, path: Path) -> Iterator[dict[str, np.ndarray]]:
    """Iterate over rows by column; a row that cannot be read is a Pix2PixError with `path`."""
    try:
        yield from dataset.create_dict_iterator(output_numpy=True, num_epochs=1)
    except RuntimeError as error:
        raise Pix2PixError(
            f"{path}: expected images that decode, found a damaged row "
            f"({first_line(error)}); write the record again"
        ) from error


def read_record(path: Path) -> Iterator[Pair]:
    """Yield the pairs of a MindRecord file in either layout, named as `Record.names` has it.

    Raises:
        Pix2PixError: as `open_record` does, or if a row is damaged.
    """
    record = open_record(path)
    rows = rows_of(record.dataset(range(len(record))), path)
    for name, row in zip(record.names(), rows, strict=True):
        a, b = (row[column] for column in COLUMNS)
        yield Pair(a, b, name)
