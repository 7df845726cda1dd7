"""Atomic writes, locks, and the one rule for outputs: none replaces what is there without --force.

After a crash there is the old file or the new one, never half of it.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from zlib import crc32

from filelock import FileLock, Timeout

from pix2pix_ms.errors import Pix2PixError

# The networks in a clone of the repository; an installed package does not have them.
SHIPPED = Path(__file__).parents[2] / "checkpoints"
SHIPPED_GENERATOR = SHIPPED / "facades-256"

LOCK = ".pix2pix_ms.lock"
LONGEST_NAME = 255  # bytes, on the file systems in use


def check_new(
    *outputs: Path, force: bool = False, folder: bool = False, inputs: Iterable[Path] = ()
) -> None:
    """Refuse outputs that would replace what exists, unless `force`; what is empty may be filled.

    Args:
        folder: the outputs are folders.
        inputs: files that no output may replace, even with `force`.

    Raises:
        Pix2PixError: naming the first that exists, or that is a folder where a file is written.
    """
    read = {place.resolve() for place in inputs}
    for place in outputs:
        if place.resolve() in read:
            raise Pix2PixError(f"{place} is an input; give another name")
        if place.is_dir() and not folder:
            raise Pix2PixError(f"{place} is a folder; give the name of a file")
        if folder and place.exists() and not place.is_dir():
            raise Pix2PixError(f"{place} is a file; give the name of a folder")
        if place.is_dir():
            empty = not any(place.iterdir())
        else:
            empty = place.is_file() and not place.stat().st_size
        if place.exists() and not empty and not force:
            raise Pix2PixError(f"{place} exists; give another name, or --force to replace it")


@contextmanager
def appearing_whole(path: Path, older: Path | None = None) -> Iterator[Path]:
    """Give a path to write to; the new file replaces `path` once it is on disk.

    Args:
        older: where to move what was at `path`.

    Raises:
        OSError: if it cannot be written; it names `path`.
    """
    writing = path.with_name(f".writing-{path.name}")
    if len(os.fsencode(writing.name)) > LONGEST_NAME:
        writing = path.with_name(f".writing-{crc32(path.name.encode())}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writing.unlink(missing_ok=True)
        writing.touch()
        allowed = writing.stat().st_mode  # as the user's umask has it
        yield writing
        writing.chmod(allowed)  # MindSpore and safetensors leave files only their owner may read
        synced(writing)
        if older is not None and path.exists():
            path.replace(older)
        writing.replace(path)
        with suppress(OSError):  # some network disks do not sync folders
            synced(path.parent)
    except BaseException as error:
        with suppress(OSError):
            writing.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)
        raise


def synced(place: Path) -> None:
    """Wait until a file, or what a folder lists, is on disk."""
    if place.is_dir() and os.name != "posix":
        return  # others do not open folders
    opened = os.open(place, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def replace_text(path: Path, text: str) -> None:
    with appearing_whole(path) as writing:
        writing.write_text(text)


@contextmanager
def held(place: Path, is_file: bool = False) -> Iterator[None]:
    """Lock a folder (or a file about to be written) against other processes.

    The lock ends with this process, which may lock it again. A missing folder is made, and removed
    if nothing is written to it.

    Raises:
        Pix2PixError: if another process has locked it.
    """
    folder = place.parent if is_file else place
    file = folder.absolute() / (f".{place.name}.lock" if is_file else LOCK)
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file, is_singleton=True)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise Pix2PixError(
            f"{place}: in use by another process; wait until that has ended, or choose another "
            "place"
        ) from error
    try:
        yield
    finally:
        if lock.lock_counter == 1:  # still locked, so nobody can lock what is removed
            with suppress(OSError):  # the disk may have become read-only
                file.unlink(missing_ok=True)
        lock.release()
        if made:
            with suppress(OSError):  # there is something in it
                folder.rmdir()


def check_suffix(path: Path, wanted: Iterable[str], advice: str) -> None:
    """Refuse a file with another ending."""
    if path.suffix not in (wanted := tuple(wanted)):
        raise Pix2PixError(
            f"{path}: expected a name ending in {' or '.join(wanted)}, found "
            f"{path.suffix or 'no ending'}; {advice}"
        )
