"""Fetch a published data set once, safely, and never again.

The idea: three steps, each of which may be killed at any moment without harm. *Fetch* writes to
`ARCHIVE.part` and notes beside it which version of the file that is, so the next call asks only
for the rest. *Check* compares the sha256 with the one recorded when the archive first unpacked.
*Unpack* works in a temporary folder and renames it at the very end, so a data set that is there
is whole. An archive put in place by hand enters at the second step.
"""

import difflib
import gzip
import hashlib
import json
import logging
import shutil
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import requests
import urllib3
from tqdm import tqdm

from pix2pix_ms.errors import DownloadError

# The most an archive, which may be hostile, unpacks to: bytes, and times its size.
MAX_BYTES = 20 * 10**9
MAX_GROWTH = 100
SMALLEST = 1 << 20  # below this an archive counts as this large: tar pads, tiny ones would grow
HEADER = 512  # what a tar spends on each member, however empty
# ValueError: names that no file can have, such as one with a NUL in it.
UNREADABLE = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError)
TIMEOUT: tuple[float, float] = (10, 60)  # seconds: to connect, between two pieces of data
CHUNK = 1 << 18
LOG = logging.getLogger(__name__)
CHECKSUMS = "checksums.json"


@dataclass(frozen=True)
class Archive:
    """A published archive, and what is there once it is unpacked."""

    url: str
    megabytes: int
    """Size of the download, rounded; to tell the user, not to check."""
    unpacks_to: str
    """Name of the one folder in it."""
    holds: str
    """Something that must be in that folder."""
    description: str
    sha256: str | None = None
    """None where the publisher gives none: then the first download is the reference."""


def berkeley(name: str, megabytes: int, description: str) -> Archive:
    """Describe a data set of the original pix2pix release; they are all packed alike."""
    url = f"http://efrosgans.eecs.berkeley.edu/pix2pix/datasets/{name}.tar.gz"
    return Archive(url, megabytes, unpacks_to=name, holds="train", description=description)


# Cityscapes is missing on purpose: its licence does not allow the release to pass it on.
ARCHIVES = {
    "mindspore-facades": Archive(
        "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com"
        "/notebook/models/application/dataset_pix2pix.tar",
        megabytes=840,
        unpacks_to="dataset_pix2pix",
        holds="train.mindrecord",
        description="CMP Facade as the MindSpore tutorial prepared it, one MindRecord file",
    ),
    "facades": berkeley("facades", 29, "label maps and photos of 606 buildings (CMP Facade)"),
    "maps": berkeley("maps", 239, "aerial photos and street maps of New York"),
    "edges2shoes": berkeley("edges2shoes", 2000, "outlines and photos of 50,000 shoes"),
    "edges2handbags": berkeley("edges2handbags", 8000, "outlines and photos of 137,000 bags"),
    "night2day": berkeley("night2day", 1900, "the same outdoor scenes at night and by day"),
}


def download(name: str, into: Path, *, url: str | None = None, progress: bool = True) -> Path:
    """Return the folder of a data set, ready to use; fetch and unpack it if it is not there.

    The archive is kept beside the folder; it may be deleted.

    Args:
        name: one of `ARCHIVES`.
        into: the folder that holds, or is to hold, the data sets; made if missing.
        url: another address (a mirror) of the same archive.
        progress: whether to show a progress bar on stderr.

    Raises:
        DownloadError: if the name is unknown, the address cannot be read, the archive is not
            the one seen before, is broken or hostile, or `into` cannot be written.
    """
    archive = known(name)
    target = into / archive.unpacks_to
    try:
        if (target / archive.holds).exists():
            LOG.info("%s: already there, %s", name, target)
        else:
            install(name, archive, target, url or archive.url, progress)
    except OSError as error:
        raise DownloadError(
            f"{into}: expected to write {name} there ({archive.megabytes} MB, and as much again "
            f"unpacked), found: {error}; make room or choose another folder, then run again"
        ) from error
    return target


def known(name: str) -> Archive:
    """Return the archive of that name.

    Raises:
        DownloadError: if there is none; it lists the names and the nearest.
    """
    if name in ARCHIVES:
        return ARCHIVES[name]
    near = "".join(f"; did you mean {n}?" for n in difflib.get_close_matches(name, ARCHIVES, n=1))
    raise DownloadError(f"data set: expected one of {', '.join(ARCHIVES)}, found {name!r}{near}")


def install(name: str, archive: Archive, target: Path, url: str, progress: bool) -> None:
    """Fetch unless the archive is there, check it, unpack it, remember its checksum."""
    if target.exists():
        raise DownloadError(
            f"{target}: expected {archive.holds} in it, found a folder without; "
            f"move it away and run again"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    file = target.parent / PurePosixPath(archive.url).name
    if not file.exists():
        fetch(url, file, progress)
    sha256 = checked(name, file, archive.sha256)
    unpack(file, target, archive.holds)
    # Only now: an archive that does not unpack must never become the reference.
    record(name, sha256, target.parent / CHECKSUMS)


def checked(name: str, file: Path, published: str | None) -> str:
    """Return the sha256 of an archive.

    Raises:
        DownloadError: if it is not the published one or else the one recorded earlier.
    """
    checksums = file.with_name(CHECKSUMS)
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    expected = published or recorded(checksums).get(name, found)
    if found != expected:
        raise DownloadError(
            f"{file}: expected sha256 {expected}, found {found}; delete the file and run "
            f"again, or, if its publisher changed it for good, also delete {name} in {checksums}"
        )
    return found


def recorded(checksums: Path) -> dict[str, str]:
    """Return the checksums of all archives unpacked so far.

    Raises:
        DownloadError: if the record cannot be read.
    """
    try:
        return read_note(checksums)
    except ValueError as error:
        raise DownloadError(
            f"{checksums}: expected JSON, names with their sha256, found: {error}; "
            f"mend or delete it and run again"
        ) from error


def record(name: str, sha256: str, checksums: Path) -> None:
    """Add a checksum to the record."""
    text = json.dumps(recorded(checksums) | {name: sha256}, indent=2, sort_keys=True)
    fresh = checksums.with_suffix(".new")
    fresh.write_text(text + "\n")
    fresh.replace(checksums)


@dataclass(frozen=True)
class Part:
    """The part of a file that has arrived, and the note saying of which version."""

    path: Path
    note: Path

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    def noted(self, url: str) -> dict[str, str]:
        """Return the version and size noted for that address, or nothing if it says nothing."""
        try:
            note = read_note(self.note)
        except ValueError:  # a kill cut it short
            return {}
        return note if note.get("url") == url else {}

    def drop(self) -> None:
        """Forget everything; the note first, for it must never describe another part."""
        self.note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def fetch(url: str, file: Path, progress: bool) -> None:
    """Bring the file at that address, going on from what an earlier call has left.

    Raises:
        DownloadError: if it does not arrive in full; what did arrive is kept.
    """
    part = Part(file.with_name(f"{file.name}.part"), file.with_name(f"{file.name}.part.json"))
    try:
        expected = part.noted(url).get("size")
        if expected is None or int(expected) != part.size:
            expected = transfer(url, part, progress)
        if expected is not None and int(expected) != part.size:
            raise requests.ConnectionError(f"{part.size} of {expected} bytes")
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        kept = f" to go on ({part.size} bytes are kept)" if part.noted(url) else ""
        raise DownloadError(
            f"{url}: expected {file.name}, found: {root_of(error)}; run again{kept}, "
            f"or put the file at {file} yourself and run again"
        ) from error
    part.path.replace(file)
    part.drop()


def transfer(url: str, part: Part, progress: bool) -> str | None:
    """Add what is missing to the part, and return the expected total size, if it is stated."""
    with ask(url, part) as response:
        if not response.ok:
            raise requests.HTTPError(f"{response.status_code} {response.reason}")
        if response.status_code != requests.codes.partial_content:
            start_again(url, response, part)
        receive(response, part, progress)
        return part.noted(url).get("size") or length(response)


def ask(url: str, part: Part) -> requests.Response:
    """Ask for what is missing, or for everything if that does not continue the part."""
    noted = part.noted(url)
    if not noted:
        return get(url)
    start, size = part.size, int(noted["size"])
    response = get(url, {"Range": f"bytes={start}-", "If-Range": noted["version"]})
    # Not every server heeds If-Range, so compare. 416: the part is longer than the file.
    continues = response.headers.get("Content-Range") == f"bytes {start}-{size - 1}/{size}"
    same = version(response) in (None, noted["version"])
    refused = response.status_code == requests.codes.requested_range_not_satisfiable
    mixed = response.status_code == requests.codes.partial_content and not (continues and same)
    if refused or mixed:
        response.close()
        return get(url)
    return response


def get(url: str, headers: dict[str, str] | None = None) -> requests.Response:
    """Ask for the bytes as they are: compressed on the way, their number would not fit."""
    identity = {"Accept-Encoding": "identity"}
    return requests.get(url, headers=identity | (headers or {}), stream=True, timeout=TIMEOUT)


def version(response: requests.Response) -> str | None:
    """Return what identifies this version of the file, in a form fit for If-Range."""
    etag = response.headers.get("ETag", "W/")
    # A weak ETag promises the same meaning, not the same bytes.
    return response.headers.get("Last-Modified") if etag.startswith("W/") else etag


def length(response: requests.Response) -> str | None:
    """Return the number of bytes in the body, a string of digits, if the server states it."""
    stated = response.headers.get("Content-Length", "")
    return stated if stated.isdecimal() else None


def start_again(url: str, response: requests.Response, part: Part) -> None:
    """Empty the part, and note its version if the server states enough to resume."""
    part.drop()
    part.path.touch()
    now, size = version(response), length(response)
    if now and size:
        part.note.write_text(json.dumps({"url": url, "version": now, "size": size}))


def receive(response: requests.Response, part: Part, progress: bool) -> None:
    """Append the body of the answer to the part."""
    left = length(response)
    total = part.size + int(left) if left else None
    with (
        tqdm(
            total=total, initial=part.size, unit="B", unit_scale=True, disable=not progress
        ) as bar,
        part.path.open("ab") as out,
    ):
        for chunk in response.raw.stream(CHUNK, decode_content=False):
            out.write(chunk)
            bar.update(len(chunk))


def root_of(error: BaseException) -> str:
    """Return the first cause of an error in one line: the last is often wrapped many times."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return " ".join(str(error).split()) or type(error).__name__


def read_note(path: Path) -> dict[str, str]:
    """Return a JSON object of strings, empty if there is no such file; ValueError if not one."""
    content = json.loads(path.read_text()) if path.exists() else {}
    if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
        raise ValueError("not an object of strings")
    return content


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
