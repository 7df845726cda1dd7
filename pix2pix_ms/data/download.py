"""Download a published data set once: fetch, check, unpack.

Each step may be killed at any moment. An interrupted download leaves `ARCHIVE.part`, and beside it
the version of the file, to resume from. The sha256 is compared with the one recorded when the
archive was first unpacked. It is unpacked in a temporary folder, which is renamed last. An archive
put there by hand is checked and unpacked likewise.
"""

import gzip
import hashlib
import json
import shutil
import tarfile
import zlib
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import requests
import urllib3
from tqdm import tqdm

from pix2pix_ms.errors import DownloadError
from pix2pix_ms.machine.files import replace_text

MOST_GROWTH = 10  # times its size to which an archive, which may be hostile, may unpack
TIMEOUT: tuple[float, float] = (10, 60)  # seconds: to connect, between two pieces of data
RANGED = (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
CHUNK = 1 << 18  # bytes


class Archive(NamedTuple):
    """A published archive."""

    url: str
    megabytes: int  # to download, rounded
    folder: str  # its only folder
    holds: str = "train"  # something in that folder


BERKELEY = "http://efrosgans.eecs.berkeley.edu/pix2pix/datasets"  # of the original release
# Without Cityscapes, whose licence does not allow the release to pass it on.
MEGABYTES = {"facades": 29, "maps": 239, "edges2shoes": 2000, "edges2handbags": 8000,
             "night2day": 1900}  # fmt: skip
ARCHIVES = {
    # CMP Facade as the MindSpore tutorial prepared it, one MindRecord file.
    "mindspore-facades": Archive(
        "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com"
        "/notebook/models/application/dataset_pix2pix.tar",
        840,
        "dataset_pix2pix",
        "train.mindrecord",
    ),
    **{name: Archive(f"{BERKELEY}/{name}.tar.gz", size, name) for name, size in MEGABYTES.items()},
}


def download(name: str, into: Path, *, url: str | None = None, progress: bool = True) -> Path:
    """Return the folder of a data set, ready to use; fetch and unpack it if it is not there.

    The archive stays beside the folder; it may be deleted.

    Args:
        name: one of `ARCHIVES`.
        into: the folder for data sets; made if missing.
        url: another address (a mirror) of the same archive.
        progress: whether to show a progress bar on stderr.

    Raises:
        DownloadError: if the name is unknown, the address cannot be read, the archive is not
            the one seen before, is broken or hostile, or `into` cannot be written.
    """
    if name not in ARCHIVES:
        raise DownloadError(f"data set: expected one of {', '.join(ARCHIVES)}, found {name!r}")
    archive = ARCHIVES[name]
    target, file = into / archive.folder, into / PurePosixPath(archive.url).name
    try:
        if (target / archive.holds).exists():
            return target
        if target.exists():
            raise DownloadError(
                f"{target}: expected {archive.holds} in it, found a folder without; "
                f"move it away and run again"
            )
        into.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            fetch(url or archive.url, file, progress)
        install(name, file, target, archive.holds)
    except OSError as error:
        raise DownloadError(
            f"{into}: expected to write {name} there ({archive.megabytes} MB, and as much again "
            f"unpacked), found: {error}; make room or choose another folder, then run again"
        ) from error
    return target


def install(name: str, file: Path, target: Path, holds: str) -> None:
    record = file.with_name("checksums.json")
    known = checksums(record)
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if (expected := known.get(name, found)) != found:
        raise DownloadError(
            f"{file}: expected sha256 {expected}, found {found}; delete the file and run "
            f"again, or, if its publisher changed it for good, also delete {name} in {record}"
        )
    unpack(file, target, holds)
    # Only now: an archive that does not unpack must not become the reference. Read again: another
    # process may have added one.
    text = json.dumps(checksums(record) | {name: found}, indent=2, sort_keys=True)
    replace_text(record, text + "\n")


def checksums(record: Path) -> dict[str, str]:
    """Return the recorded checksums; an unreadable file is an error, or anything would pass."""
    try:
        return {**json.loads(record.read_text())} if record.exists() else {}
    except (ValueError, TypeError) as error:
        raise DownloadError(
            f"{record}: expected JSON, names with their sha256, found: {error}; "
            f"mend or delete it and run again"
        ) from error


def fetch(url: str, file: Path, progress: bool) -> None:
    """Download a file, resuming an interrupted download."""
    part, note = file.with_name(f"{file.name}.part"), file.with_name(f"{file.name}.part.version")
    try:
        while not transfer(url, part, note, progress):
            note.unlink()
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        cause: BaseException = error
        while inner := cause.__cause__ or cause.__context__:  # requests wraps it many times
            cause = inner
        reason = " ".join(str(cause).split()) or type(cause).__name__
        arrived = part.stat().st_size if note.exists() and part.exists() else 0
        resume = f" to resume ({arrived} bytes)" * (arrived > 0)
        raise DownloadError(
            f"{url}: expected {file.name}, found: {reason}; run again{resume}, "
            f"or put the file at {file} yourself and run again"
        ) from error
    part.replace(file)
    note.unlink(missing_ok=True)


def transfer(url: str, part: Path, note: Path, progress: bool) -> bool:
    """Download the rest of a part; return False if it is of another version of the file."""
    known = note.read_text() if note.exists() and part.exists() else ""
    start = part.stat().st_size if known else 0
    headers = {"Accept-Encoding": "identity"}  # compression would change the number of bytes
    if known:
        headers |= {"Range": f"bytes={start}-", "If-Range": known}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        resumed = bool(known) and response.status_code in RANGED
        if not resumed and response.status_code != HTTPStatus.OK:
            raise requests.HTTPError(f"{response.status_code} {response.reason}")
        version, size = (response.headers.get(name, "") for name in ("ETag", "Content-Length"))
        if not version.startswith('"'):  # a weak ETag does not promise the same bytes
            version = response.headers.get("Last-Modified", "")
        start *= resumed
        total = start + int(size) if size.isdecimal() else 0
        rest = f"bytes {start}-{total - 1}/{total}"
        if resumed and (version, response.headers.get("Content-Range")) != (known, rest):
            return False  # some servers ignore If-Range
        if not resumed:
            note.unlink(missing_ok=True)  # first: it must never describe another part
            part.write_bytes(b"")
            if version:
                note.write_text(version)
        bar = {"total": total or None, "initial": start, "disable": not progress}
        with tqdm.wrapattr(response.raw, "read", **bar) as body, part.open("ab") as out:
            shutil.copyfileobj(body, out, CHUNK)
    if total and part.stat().st_size != total:  # urllib3 before 2 says nothing
        raise requests.ConnectionError(f"{part.stat().st_size} of {total} bytes")
    return True


def unpack(file: Path, target: Path, holds: str) -> None:
    """Unpack the folder of the archive with the target's name, all of it or nothing.

    Links are refused too: data sets need none, and tarfile's filter has been fooled by them.
    """
    room = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(room, ignore_errors=True)  # left by a kill
    left = MOST_GROWTH * file.stat().st_size
    try:
        with (
            gzip.GzipFile(file) if file.suffix == ".gz" else file.open("rb") as stream,
            tarfile.open(fileobj=stream, mode="r:") as tar,
        ):
            for member in tar:
                left -= member.size + tarfile.BLOCKSIZE  # for its header
                if left < 0:
                    raise tarfile.TarError(f"it unpacks to more than {MOST_GROWTH} times its size")
                plain = (member.isfile() or member.isdir()) and member.size >= 0
                if not plain or member.name[:1] == "/":
                    raise tarfile.TarError(f"{member.name!r} is not a plain file or folder in it")
                tar.extract(member, room, filter="data")
            # The tar ends before the gzip file does, whose last bytes are the checksum of all.
            while stream.read(CHUNK):
                pass
        if not (room / target.name / holds).exists():
            raise tarfile.TarError(f"no {target.name}/{holds} in it")
        (room / target.name).rename(target)
    # ValueError: impossible names, such as one with a NUL in it.
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        raise DownloadError(
            f"{file}: expected a sound tar archive, found: {error}; "
            f"nothing was unpacked: delete the file and run again, or put a good one there"
        ) from error
    finally:
        shutil.rmtree(room, ignore_errors=True)
