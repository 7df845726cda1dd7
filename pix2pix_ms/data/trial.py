"""A record that others wrote is read by another process first: MindSpore may die of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from pix2pix_ms.errors import DamagedError

START = 60  # seconds a slow machine needs to load MindSpore
READ, BYTES_A_SECOND = 5, 20_000_000  # seconds to begin with, and what it then reads in one
READABLE, REFUSED = 0, 3


@lru_cache(maxsize=16)
def check_readable(record: Path, size: int, *_: int) -> None:
    """Read a record in a given state in another process, which may die of it, or never end.

    What only cannot be read is the parent's to meet and tell.

    Raises:
        DamagedError: if it does.
    """
    places = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    try:
        status = subprocess.run(
            [sys.executable, "-P", "-m", __name__, str(record)],
            capture_output=True,
            check=False,
            env=os.environ | {"PYTHONPATH": places},
            timeout=START + limit(size),
        ).returncode
    except subprocess.TimeoutExpired:
        status = -signal.SIGALRM
    if status not in (READABLE, REFUSED):
        found = "never ends" if status == -signal.SIGALRM else f"dies (status {status})"
        raise DamagedError(
            f"{record}: expected a MindRecord file, found a damaged one, of which MindSpore's "
            f"reader {found}; write it again"
        )


def limit(size: int) -> int:
    """Return how many seconds a record of so many bytes may take."""
    return READ + size // BYTES_A_SECOND


def main(record: str) -> int:
    """Read all rows of a record; return whether MindSpore could, or said that it could not."""
    from mindspore.dataset import MindDataset
    from mindspore.mindrecord import FileReader

    signal.alarm(limit(Path(record).stat().st_size))  # ends this process, also within the reader
    status = READABLE
    readers: list[Callable[[], Any]] = [
        lambda: FileReader(record).get_next(),
        lambda: MindDataset(record, shuffle=False).create_tuple_iterator(output_numpy=True),
    ]
    for rows in readers:
        try:
            for _ in rows():
                pass
        except Exception:  # its own error, which the parent meets and tells
            status = REFUSED
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
