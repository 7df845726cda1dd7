"""The checksum at the end of a checkpoint, verified before anything in it is believed.

MindSpore writes it when asked to, but takes a file that was cut off before it for one that never
had any.
"""

import zlib
from pathlib import Path

from pix2pix_ms.errors import DamagedError

SEAL = b"crc_num"
LENGTH = len(SEAL) + 10  # followed by the CRC-32 of all before it, a big-endian number
CHUNK = 1 << 22


def check_seal(path: Path) -> bool:
    """Tell whether a checkpoint ends with a checksum.

    Raises:
        DamagedError: if it is not that of what is before it.
    """
    left = path.stat().st_size - LENGTH
    with path.open("rb") as file:
        file.seek(max(left, 0))
        if not (seal := file.read(LENGTH)).startswith(SEAL):
            return False
        file.seek(0)
        found = 0
        while left > 0:
            chunk = file.read(min(CHUNK, left))
            found, left = zlib.crc32(chunk, found), left - len(chunk)
    if found != int.from_bytes(seal[len(SEAL) :], "big"):
        raise damaged(path)
    return True


def damaged(path: Path) -> DamagedError:
    """Return the error of a checkpoint that is not what was written."""
    return DamagedError(
        f"{path}: expected a MindSpore checkpoint, found a damaged file; "
        "copy it again, or train again"
    )
