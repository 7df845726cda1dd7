"""A record that others wrote is read by another process first: MindSpore may die of it."""

import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from pix2pix_ms.errors import DamagedError

START, BYTES_A_SECOND = 60, 20_000_000  # what a slow machine needs to load MindSpore, and to read


@lru_cache(maxsize=16)
def check_readable(record: Path, size: int, *_: int) -> None:
    """Read a record in a given state in another process, which may die of it, or never end.

    Raises:
        DamagedError: if it does; that the record cannot be read may also show here, later.
    """
    places = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    try:
        status = subprocess.run(
            [sys.executable, "-P", "-m", __name__, str(record)],
            capture_output=True,
            check=False,
            env=os.environ | {"PYTHONPATH": places},
            timeout=START + size / BYTES_A_SECOND,
        ).returncode
    except subprocess.TimeoutExpired:
        status = None
    if status not in (0, 1):
        found = "never ends" if status is None else f"dies (status {status})"
        raise DamagedError(
            f"{record}: expected a MindRecord file, found a damaged one, of which MindSpore's "
            f"reader {found}; write it again"
        )


def main() -> None:
    """Read all rows of the record that is named."""
    from mindspore.dataset import MindDataset
    from mindspore.mindrecord import FileReader

    for _ in FileReader(sys.argv[1]).get_next():
        pass
    for _ in MindDataset(sys.argv[1], shuffle=False).create_tuple_iterator(output_numpy=True):
        pass


if __name__ == "__main__":
    main()
