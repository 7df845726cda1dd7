"""Unpack an archive that may be broken or hostile: all of it or nothing."""

import gzip
import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from pix2pix_ms.errors import DownloadError

CHUNK = 1 << 18
MAX_BYTES = 20 * 10**9
MAX_GROWTH = 100
SMALLEST = 1 << 20  # below this an archive counts as this large: tar pads, tiny ones would grow
HEADER = 512  # what a tar spends on each member, however empty
# ValueError: names that no file can have, such as one with a NUL in it.
UNREADABLE = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError)


def unpack(file: Path, target: Path, holds: str) -> None:
    """Unpack the folder of the archive that is called like the target, all of it or nothing.

    Raises:
        DownloadError: if the archive is broken, hostile, or holds something else.
    """
    room = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(room, ignore_errors=True)  # left by a kill
    try:
        extract(file, room)
        if not (room / target.name / holds).exists():
            raise tarfile.TarError(f"no {target.name}/{holds} in it")
        (room / target.name).rename(target)
    except UNREADABLE as error:
        raise DownloadError(
            f"{file}: expected a sound tar archive, found: {error}; "
            f"nothing was unpacked: delete the file and run again, or put a good one there"
        ) from error
    finally:
        shutil.rmtree(room, ignore_errors=True)


def extract(file: Path, room: Path) -> None:
    """Unpack all of an archive; raise one of `UNREADABLE` if it is broken or hostile."""
    with (
        gzip.GzipFile(file) if file.suffix == ".gz" else file.open("rb") as stream,
        tarfile.open(fileobj=stream, mode="r:") as tar,
    ):
        tar.extractall(room, filter=guard(file.stat().st_size))
        # The tar ends before the gzip file does, whose last bytes are the checksum of all.
        while stream.read(CHUNK):
            pass


def guard(packed: int) -> Callable[[tarfile.TarInfo, str], tarfile.TarInfo | None]:
    """Return a filter for an archive of that size; it raises TarError at a hostile member.

    It is stricter than the "data" filter, which lets some links through (and has been fooled by
    them) and takes absolute names for relative ones: data sets need neither.
    """
    most = min(MAX_BYTES, MAX_GROWTH * max(packed, SMALLEST))
    total = 0

    def check(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
        nonlocal total
        total += member.size + HEADER
        if total > most:
            raise tarfile.TarError(f"it unpacks to more than {most} bytes")
        if not (member.isfile() or member.isdir()) or member.size < 0:
            raise tarfile.TarError(f"{member.name!r} is not a plain file or folder")
        if PurePosixPath(member.name).is_absolute():
            raise tarfile.TarError(f"{member.name!r} is an absolute path")
        return tarfile.data_filter(member, folder)

    return check
