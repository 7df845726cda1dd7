"""Pairs to MindRecord files, which appear when they are whole.

The idea: encoded rows go to a spool on disk first. Only when all have come is it known how large
MindRecord's pages and header must be, and no more than a few rows are in memory at a time.
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
    """An image that is no pair, uint8 [H, W, C], its domain, and what to call it."""

    image: Pixels
    domain: str
    name: str


# With the default header of 16 MiB and page of 32 MiB one pair takes 50 MB on disk. Pages just
# large enough for a row, and a header with room for an entry a page, take what the images take.
SMALLEST_HEADER = 2**14
SMALLEST_PAGE = 2**18
HEADER_BYTES_A_PAGE = 2**9
ROWS_AT_ONCE = 16
LARGEST_PAGE = 2**28  # MindRecord allows no larger one
LARGEST_ROW = LARGEST_PAGE // 2
ROOM = ".writing-records"  # the folder within that of the records


def write_record(pairs: Iterable[Pair], path: Path, colours: Colours = "rgb") -> int:
    """Write pairs to a MindRecord file in our layout, without loss, and return how many.

    The file and its index `.db` appear, one right after the other, when both are whole; older
    ones of the same name are replaced only then. MindRecord keeps the name inside: move the
    folder, not the file.

    Raises:
        Pix2PixError: if there are no pairs, no room, another process writes into the folder, or
            what reading them raises.
    """
    rows = (Row(encode(a), encode(b), name, colours) for a, b, name in pairs)
    with appearing_records(path.parent) as folder:
        return write_rows(rows, folder / path.name)


def write_images(images: Iterable[LabelledImage], path: Path) -> int:
    """Write images that are no pairs likewise, and return how many; raises the same."""
    rows = (ImageRow(encode(image), domain, name) for image, domain, name in images)
    with appearing_records(path.parent) as folder:
        return write_rows(rows, folder / path.name)


@contextmanager
def appearing_records(folder: Path, own: bool = False) -> Iterator[Path]:
    """Lock a folder and give a room in it to write records to; once all are whole they move there.

    Args:
        own: mark them as those that a training made.
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
    """Write encoded rows, pages and header no larger than they need; return how many."""
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
        try:
            write_file(columns, path, page, header)
        except RuntimeError as error:
            lines = str(error).splitlines()
            reason = next((line for line in lines if line.startswith("[ERROR]")), lines[0])
            raise OSError(0, reason) from error
    return len(sizes)


def write_file(rows: Iterator[dict[str, bytes | str]], path: Path, page: int, header: int) -> None:
    """Write rows by column with MindRecord's own writer, a few at a time."""
    some = list(islice(rows, ROWS_AT_ONCE))
    kinds = {bytes: {"type": "bytes"}, str: {"type": "string"}}
    writer = FileWriter(str(path), shard_num=1)
    writer.set_header_size(header)
    writer.set_page_size(page)
    schema = {column: kinds[type(value)] for column, value in some[0].items()}
    writer.add_schema(schema, "a pair or an image a row")
    while some:
        writer.write_raw_data(some)
        some = list(islice(rows, ROWS_AT_ONCE))
    writer.commit()
