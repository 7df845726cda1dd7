"""Pairs and images to MindRecord files, which appear in their folder once they are complete.

The idea: encoded rows go to a temporary file first. MindRecord needs the sizes of its pages and
header before the first row, and only a few rows are in memory at a time.
"""

import pickle
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from mindspore.mindrecord import FileWriter

from pix2pix_ms.config.settings import Colours
from pix2pix_ms.data.images import ImageRow, Pair, Pixels, Row, encode
from pix2pix_ms.data.integrity import write_sums
from pix2pix_ms.data.records import SUFFIX
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.files import held


class LabelledImage(NamedTuple):
    """An image, uint8 [H, W, C], with its domain and its name."""

    image: Pixels
    domain: str
    name: str


# With the default header of 16 MiB and page of 32 MiB one pair takes 50 MB on disk. With pages just
# large enough for a row, and a header for an entry a page, it is about as large as its images.
SMALLEST_HEADER = 2**14
SMALLEST_PAGE = 2**18
HEADER_BYTES_A_PAGE = 2**9
ROWS_AT_ONCE = 16
LARGEST_PAGE = 2**28  # MindRecord allows no larger one
LARGEST_ROW = LARGEST_PAGE // 2
ROOM = ".writing-records"  # the folder, within that of the records, where they are written


def write_record(pairs: Iterable[Pair], path: Path, colours: Colours = "rgb") -> int:
    """Write pairs to a MindRecord file in our layout, as PNG, and return their number.

    The file and its index `.db` appear, one right after the other, when both are complete, and only
    then replace older ones. MindRecord stores the file's name: move the folder, not the file.

    Raises:
        Pix2PixError: if there are no pairs, no room, another process writes into the folder, or
            what reading them raises.
    """
    rows = (Row(encode(a), encode(b), name, colours) for a, b, name in pairs)
    with appearing_records(path.parent) as folder:
        return write_rows(rows, folder / path.name)


def write_images(images: Iterable[LabelledImage], path: Path) -> int:
    """Write images of domains as `write_record` writes pairs; return their number."""
    rows = (ImageRow(encode(image), domain, name) for image, domain, name in images)
    with appearing_records(path.parent) as folder:
        return write_rows(rows, folder / path.name)


@contextmanager
def appearing_records(folder: Path, own: bool = False) -> Iterator[Path]:
    """Lock a folder and yield one within it to write records to, which are moved at the end.

    Args:
        own: mark them as made by a training.
    """
    room = folder / ROOM
    try:
        with held(folder):
            shutil.rmtree(room, ignore_errors=True)  # left by a kill
            room.mkdir()
            try:
                yield room
                for record in room.glob(f"*{SUFFIX}"):
                    write_sums(record, own)
                parts = sorted(room.iterdir(), reverse=True)  # each index before its file
                for part in reversed(parts):  # first all: after a kill there is never a mixture
                    (folder / part.name).unlink(missing_ok=True)
                for part in parts:
                    part.replace(folder / part.name)
            finally:
                shutil.rmtree(room, ignore_errors=True)
    except OSError as error:
        raise Pix2PixError(
            f"{folder}: expected to write records there, found: {error.strerror or error}; make "
            "room or choose another folder, then run again"
        ) from error


def write_rows(rows: Iterable[Row | ImageRow], path: Path) -> int:
    """Write encoded rows with pages and header no larger than they need; return their number."""
    with tempfile.TemporaryFile(dir=path.parent) as spool:
        sizes = []
        for row in rows:
            pickle.dump(row, spool)
            sizes.append(sum(map(len, row)))
            if sizes[-1] > LARGEST_ROW:
                raise Pix2PixError(
                    f"{row.name}: expected a row of at most {LARGEST_ROW >> 20} MB, found "
                    f"{sizes[-1] >> 20} MB; prepare with --shrink"
                )
        if not sizes:
            raise Pix2PixError(f"{path}: expected at least one pair or image to write, found none")
        spool.seek(0)
        page = min(max(SMALLEST_PAGE, 4 * 2 ** max(sizes).bit_length()), LARGEST_PAGE)
        pages = 2 + 2 * sum(sizes) // page  # a page may be left half empty
        header = max(SMALLEST_HEADER, 2 ** (pages * HEADER_BYTES_A_PAGE).bit_length())
        # Our own pickles: the spool has no name under which others could write.
        columns = (pickle.load(spool)._asdict() for _ in sizes)
        kinds: dict[type, str] = {bytes: "bytes", str: "string"}
        schema = {column: {"type": kinds[type(value)]} for column, value in row._asdict().items()}
        try:
            writer = FileWriter(str(path), shard_num=1)
            writer.set_header_size(header)
            writer.set_page_size(page)
            writer.add_schema(schema, "a pair or an image a row")
            while some := list(islice(columns, ROWS_AT_ONCE)):
                writer.write_raw_data(some)
            writer.commit()
        except RuntimeError as error:
            lines = str(error).splitlines()
            reason = next((line for line in lines if line.startswith("[ERROR]")), lines[0])
            raise OSError(0, reason) from error
    return len(sizes)
