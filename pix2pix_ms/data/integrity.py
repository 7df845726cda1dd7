"""Damage to records, which MindRecord's own readers do not notice, or crash on.

Records written here have checksums in a table of MindRecord's index, an SQLite file: the sha256 of
the record, and that of the index's other tables. Records of others are first read on trial by
another process.
"""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from pix2pix_ms.errors import DamagedError, Pix2PixError

IMPORT = 120  # seconds to import MindSpore, or to exit with it, on a busy machine
READ, BYTES_A_SECOND = 5, 20_000_000  # seconds to read a record: some to start, then so many bytes

TABLE = "PIX2PIX_MS"
MARK = 0x70327073  # SQLite's application_id: that the table should be there, if it is damaged
OWN = 1  # SQLite's user_version of records that a training made, and may replace


def index_of(record: Path) -> Path:
    return record.with_name(record.name + ".db")


def write_sums(record: Path, own: bool) -> None:
    """Write the checksums of a record and of its index into the index, unless they are there.

    Args:
        own: mark it as made by a training.
    """
    try:
        with closing(sqlite3.connect(index_of(record))) as db, db:
            if own:
                db.execute(f"PRAGMA user_version = {OWN}")
            if TABLE not in tables_of(db):
                sums = file_sum(record), rows_sum(db)
                db.execute(f"PRAGMA application_id = {MARK}")
                db.execute(f"CREATE TABLE {TABLE} (RECORD TEXT, ROWS TEXT)")
                db.execute(f"INSERT INTO {TABLE} VALUES (?, ?)", sums)
    except sqlite3.Error as error:
        raise OSError(0, str(error)) from error


def is_own(record: Path) -> bool:
    """Return whether a training made a record."""
    try:
        with closing(read_only(index_of(record))) as db:
            return bool(db.execute("PRAGMA user_version").fetchone() == (OWN,))
    except sqlite3.Error:
        return False


def read_only(index: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{index.absolute().as_uri()}?mode=ro", uri=True)


def check_files(record: Path) -> None:
    """Refuse a record if its two files are not as they were written."""
    from pix2pix_ms.machine import ranks  # imports MindSpore, which `main` must do under its alarm

    if not record.is_file():
        raise Pix2PixError(f"{record}: expected a MindRecord file, found none; check the path")
    index = index_of(record)
    if not index.is_file():
        raise Pix2PixError(
            f"{record}: expected its index {index.name} beside it, found none; "
            "copy both files, or prepare the images again"
        )
    summed = check_sums(record, *state(record), *state(index))
    if not summed and ranks.is_first():  # the other ranks wait for it
        check_readable(record, *state(record))


@lru_cache(maxsize=16)
def check_sums(record: Path, *_: int) -> bool:
    """Compare files with their checksums, once per `state`; return whether they have any."""
    index = index_of(record)
    try:
        with closing(read_only(index)) as db:
            (mark,) = db.execute("PRAGMA application_id").fetchone()
            summed = mark == MARK or TABLE in tables_of(db)
            if summed:
                ((expected, rows),) = db.execute(f"SELECT * FROM {TABLE}").fetchall()
                if rows != rows_sum(db):
                    raise ValueError
            written = Path(db.execute("SELECT NAME FROM SHARD_NAME").fetchone()[0]).name
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise damaged(index) from error
    if summed and expected != file_sum(record):
        raise damaged(record)
    if written != record.name:
        raise Pix2PixError(
            f"{record}: expected the name it was written with, {written}, found "
            f"{record.name}; rename both files back (the folder may have any name)"
        )
    return summed


def tables_of(db: sqlite3.Connection) -> list[str]:
    found = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [name for (name,) in found]


def rows_sum(db: sqlite3.Connection) -> str:
    """Return the sha256 of the rows of MindRecord's tables."""
    found = hashlib.sha256()
    for name in tables_of(db):
        if name != TABLE:
            found.update(name.encode())
            for row in db.execute(f'SELECT * FROM "{name}" ORDER BY rowid'):
                found.update(repr(row).encode())
    return found.hexdigest()


def damaged(file: Path) -> DamagedError:
    return DamagedError(
        f"{file}: expected the record and the index that were written together, found a damaged "
        "one; copy both files again, or write the record again"
    )


def state(file: Path) -> tuple[int, int]:
    """Return size and time of a file, which change with it."""
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def file_sum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@lru_cache(maxsize=16)
def check_readable(record: Path, *_: int) -> None:
    """Read a record, once per `state`, in another process, which may crash or hang.

    Ordinary read errors are ignored: reading it in this process will raise them.
    """
    places = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    status = subprocess.run(
        [sys.executable, "-P", "-m", __name__, str(record)],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": places},
    ).returncode
    if status:
        found = "never ends" if status == -signal.SIGALRM else f"dies (status {status})"
        raise DamagedError(
            f"{record}: expected a MindRecord file, found a damaged one, of which MindSpore's "
            f"reader {found}; write it again"
        )


def main(record: str) -> None:
    """Read all rows of a record with both of MindSpore's readers."""
    signal.alarm(IMPORT)  # ends this process, wherever it hangs
    from mindspore.dataset import MindDataset
    from mindspore.mindrecord import FileReader

    signal.alarm(READ + Path(record).stat().st_size // BYTES_A_SECOND)
    readers: list[Callable[[], Any]] = [
        lambda: FileReader(record).get_next(),
        lambda: MindDataset(record, shuffle=False).create_tuple_iterator(output_numpy=True),
    ]
    for rows in readers:
        with suppress(Exception):
            for _ in rows():
                pass
    signal.alarm(IMPORT)


if __name__ == "__main__":
    main(sys.argv[1])
