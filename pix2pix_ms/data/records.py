"""Pairs read back from MindRecord: our layout, and that of the published MindSpore archive.

Ours holds a pair a row, both images encoded as PNG or JPEG, what the pair is called, and in which
colours it is learned. The published one (`dataset_pix2pix/train.mindrecord`) holds a whole batch a
row, float32 [N, 3, H, W] in [-1, 1]; it is recognised by its columns' types.
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

    `named` says whether its pairs have names; ours do, others' may not. `channels` are those of A
    and of B, and `colours` what is learned of them, as `Config.colours` has it.
    """

    path: Path
    batched: bool
    rows: int
    named: bool
    channels: tuple[int, int] = (3, 3)
    colours: Colours = "rgb"

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.unbatched) if self.batched else self.rows

    def __getitem__(self, index: int) -> tuple[Pixels, Pixels]:
        """Return the images of one pair; the published layout only."""
        a, b = self.unbatched[index]
        return a, b

    def dataset(self, indices: Iterable[int], workers: int = 1) -> ds.Dataset:
        """Return the pairs at `indices`, in that order: two columns, uint8 [H, W, channels]."""
        order = [int(index) for index in indices]
        if self.batched:
            return ds.GeneratorDataset(self, list(COLUMNS), sampler=ds.SubsetSampler(order))
        rows = ds.MindDataset(
            str(self.path),
            list(COLUMNS),
            num_parallel_workers=workers,
            sampler=ds.SubsetSampler(order),
        )
        for column, channels in zip(COLUMNS, self.channels, strict=True):
            rows = rows.map(decoder(channels), column, num_parallel_workers=workers)
        return rows

    def names(self) -> list[str]:
        """Return what the pairs are called: where they have no names, after the file, counted."""
        if not self.named:
            return [f"{self.path.stem}_{number}" for number in range(len(self))]
        return names_of(self.path)

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
    """Return what the pairs or images of a record are called: these columns, NAME unless given."""
    columns = columns or (NAME,)
    rows = ds.MindDataset(str(path), [*columns], shuffle=False)
    return ["/".join(str(row[column]) for column in columns) for row in rows_of(rows, path)]


def decoder(channels: int) -> Callable[[np.ndarray], Pixels]:
    """Return what decodes a row's image to that many channels; MindSpore's own knows only RGB."""
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
    if kinds[0] == "float32":
        return Record(path, batched=True, rows=rows, named=NAME in schema)
    if COLOURS not in schema:  # of an earlier version, or another's: all are decoded to RGB
        return Record(path, batched=False, rows=rows, named=NAME in schema)
    a, b = (channels_of(first[column], path) for column in COLUMNS)
    colours: Colours = first[COLOURS]
    check_choice(f"{path}: colours", Colours, colours)
    return Record(path, False, rows, NAME in schema, (a, b), colours)


class Inspected(NamedTuple):
    """What a MindRecord file says of itself: its columns, its rows, and the first of them."""

    schema: dict[str, dict[str, Any]]
    rows: int
    first: dict[str, Any]


def inspect(path: Path) -> Inspected:
    """Look into a MindRecord file."""
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
    """Return how many channels an encoded image has."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return {mode: count for count, mode in MODES.items()}.get(image.mode, 3)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Pix2PixError(
            f"{path}: expected images that decode, found a damaged row; write the record again"
        ) from error


def rows_of(dataset: ds.Dataset, path: Path) -> Iterator[dict[str, np.ndarray]]:
    """Iterate over rows by column; one that cannot be read is an error that names the record."""
    try:
        yield from dataset.create_dict_iterator(output_numpy=True, num_epochs=1)
    except RuntimeError as error:
        raise Pix2PixError(
            f"{path}: expected images that decode, found a damaged row "
            f"({first_line(error)}); write the record again"
        ) from error


def read_record(path: Path) -> Iterator[Pair]:
    """Yield the pairs of a MindRecord file in either layout, with the names they were given.

    Where there are no names, as in the published layout, pairs are called after the file and
    counted from 0.

    Raises:
        Pix2PixError: as `open_record` does, or if a row is damaged.
    """
    record = open_record(path)
    rows = rows_of(record.dataset(range(len(record))), path)
    for name, row in zip(record.names(), rows, strict=True):
        a, b = (row[column] for column in COLUMNS)
        yield Pair(a, b, name)
