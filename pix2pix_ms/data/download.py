"""Fetch a published data set once, safely, and never again.

The idea: three steps, each of which may be killed at any moment without harm. *Fetch* adds to
`ARCHIVE.part`, beside which a note says of which version of the file that is. *Check* compares the
sha256 with the one recorded when the archive first unpacked. *Unpack* works in a temporary folder
and renames it at the very end, so a data set that is there is whole. An archive put in place by
hand enters at the second step.
"""

import difflib
import gzip
import hashlib
import json
import shutil
import tarfile
import zlib
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import requests
import urllib3
from requests.adapters import HTTPAdapter
from tqdm import tqdm

from pix2pix_ms.errors import DownloadError
from pix2pix_ms.machine.files import replace_text

# The most an archive, which may be hostile, unpacks to: bytes, and times its size.
MAX_BYTES = 20 * 10**9
MOST_GROWTH = 100
SMALLEST = 1 << 20  # below this an archive counts as this large: tar pads, tiny ones would grow
TIMEOUT: tuple[float, float] = (10, 60)  # seconds: to connect, between two pieces of data
# Not after a minute of silence, nor for the hours that a server may ask to wait.
RETRIES = urllib3.Retry(
    2, read=False, status_forcelist=(502, 503, 504), raise_on_status=False,
    backoff_factor=0.5, respect_retry_after_header=False,
)  # fmt: skip
RESUMES = (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
CHUNK = 1 << 18  # bytes
CHECKSUMS = "checksums.json"


class Archive(NamedTuple):
    """A published archive, and what is there once it is unpacked."""

    url: str
    megabytes: int
    """Size of the download, rounded; for messages."""
    unpacks_to: str
    """Name of the one folder in it."""
    holds: str = "train"
    """Something that must be in that folder."""


BERKELEY = "http://efrosgans.eecs.berkeley.edu/pix2pix/datasets"  # of the original release
# Cityscapes is missing on purpose: its licence does not allow the release to pass it on.
ARCHIVES = {
    # CMP Facade as the MindSpore tutorial prepared it, one MindRecord file.
    "mindspore-facades": Archive(
        "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com"
        "/notebook/models/application/dataset_pix2pix.tar",
        840,
        "dataset_pix2pix",
        "train.mindrecord",
    ),
    # Label maps and photos of 606 buildings (CMP Facade).
    "facades": Archive(f"{BERKELEY}/facades.tar.gz", 29, "facades"),
    # Aerial photos and street maps of New York.
    "maps": Archive(f"{BERKELEY}/maps.tar.gz", 239, "maps"),
    # Outlines and photos of 50,000 shoes, of 137,000 bags.
    "edges2shoes": Archive(f"{BERKELEY}/edges2shoes.tar.gz", 2000, "edges2shoes"),
    "edges2handbags": Archive(f"{BERKELEY}/edges2handbags.tar.gz", 8000, "edges2handbags"),
    # The same outdoor scenes at night and by day.
    "night2day": Archive(f"{BERKELEY}/night2day.tar.gz", 1900, "night2day"),
}


def download(name: str, into: Path, *, url: str | None = None, progress: bool = True) -> Path:
    """Return the folder of a data set, ready to use; fetch and unpack it if it is not there.

    The archive stays beside the folder; it may be deleted.

    Args:
        name: one of `ARCHIVES`.
        into: the folder that holds, or is to hold, the data sets; made if missing.
        url: another address (a mirror) of the same archive.
        progress: whether to show a progress bar on stderr.

    Raises:
        DownloadError: if the name is unknown, the address cannot be read, the archive is not
            the one seen before, is broken or hostile, or `into` cannot be written.
    """
    if name not in ARCHIVES:
        near = difflib.get_close_matches(name, ARCHIVES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise DownloadError(
            f"data set: expected one of {', '.join(ARCHIVES)}, found {name!r}{hint}"
        )
    archive = ARCHIVES[name]
    target = into / archive.unpacks_to
    try:
        if not (target / archive.holds).exists():
            install(name, archive, target, url or archive.url, progress)
    except OSError as error:
        raise DownloadError(
            f"{into}: expected to write {name} there ({archive.megabytes} MB, and as much again "
            f"unpacked), found: {error}; make room or choose another folder, then run again"
        ) from error
    return target


def install(name: str, archive: Archive, target: Path, url: str, progress: bool) -> None:
    """Fetch unless the archive is there, check it, unpack it, record its checksum."""
    if target.exists():
        raise DownloadError(
            f"{target}: expected {archive.holds} in it, found a folder without; "
            f"move it away and run again"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    file = target.with_name(PurePosixPath(archive.url).name)
    if not file.exists():
        fetch(url, file, progress)
    found = checked(name, file)
    unpack(file, target, archive.holds)
    # Only now: an archive that does not unpack must never become the reference. Read again: there
    # may be others' by now.
    record = target.with_name(CHECKSUMS)
    text = json.dumps(strings_in(record) | {name: found}, indent=2, sort_keys=True)
    replace_text(record, text + "\n")


def checked(name: str, file: Path) -> str:
    """Return an archive's sha256.

    Raises:
        DownloadError: if its sha256 is not the recorded one, or the record cannot be read: to
            take it for empty would be to trust anything.
    """
    record = file.with_name(CHECKSUMS)
    try:
        known = strings_in(record)
    except ValueError as error:
        raise DownloadError(
            f"{record}: expected JSON, names with their sha256, found: {error}; "
            f"mend or delete it and run again"
        ) from error
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if (expected := known.get(name, found)) != found:
        raise DownloadError(
            f"{file}: expected sha256 {expected}, found {found}; delete the file and run "
            f"again, or, if its publisher changed it for good, also delete {name} in {record}"
        )
    return found


def strings_in(path: Path) -> dict[str, str]:
    """Return a JSON object of strings, empty if there is no such file; ValueError if not one."""
    content = json.loads(path.read_text()) if path.exists() else {}
    if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
        raise ValueError("not an object of strings")
    return content


def fetch(url: str, file: Path, progress: bool) -> None:
    """Bring the file at that address, going on from what an earlier call has left.

    Raises:
        DownloadError: if it does not arrive in full; what did arrive stays for the next call.
    """
    part, note = file.with_name(f"{file.name}.part"), file.with_name(f"{file.name}.part.json")
    try:
        transfer(url, part, note, progress)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        known = noted(url, part, note)
        kept = f" to go on ({part.stat().st_size} bytes are kept)" if known else ""
        raise DownloadError(
            f"{url}: expected {file.name}, found: {root_of(error)}; run again{kept}, "
            f"or put the file at {file} yourself and run again"
        ) from error
    part.replace(file)
    note.unlink(missing_ok=True)


def transfer(url: str, part: Path, note: Path, progress: bool) -> None:
    """Add what is missing to the part; start from zero on any doubt about what is there."""
    known = noted(url, part, note)
    start = part.stat().st_size if known else 0
    if known and start == int(known["size"]):
        return
    with ask(url, start, known) as response:
        if response.status_code == HTTPStatus.OK:
            note.unlink(missing_ok=True)  # first: it must never describe another part
            part.write_bytes(b"")
            known = described(url, response)
            if all(known.values()):
                note.write_text(json.dumps(known))
        elif not known or response.status_code not in RESUMES:
            raise requests.HTTPError(f"{response.status_code} {response.reason}")
        elif not continues(url, response, start, known):
            note.unlink()
            return transfer(url, part, note, progress)
        receive(response, part, known["size"], progress)
    if known["size"] and part.stat().st_size != int(known["size"]):
        raise requests.ConnectionError(f"{part.stat().st_size} of {known['size']} bytes")


def noted(url: str, part: Path, note: Path) -> dict[str, str]:
    """Return which version of the file the part is of, as `described` does; {} if unknown."""
    try:
        found = strings_in(note)
    except ValueError:  # a kill cut it short
        return {}
    whole = {"version", "size"} <= found.keys() and found["size"].isdecimal()
    return found if whole and found.get("url") == url and part.exists() else {}


def ask(url: str, start: int, known: dict[str, str]) -> requests.Response:
    """Ask for the file, or for its bytes from `start` if it is still the version known."""
    # As they are: compressed on the way, their number would not fit.
    headers = {"Accept-Encoding": "identity"}
    if known:
        headers |= {"Range": f"bytes={start}-", "If-Range": known["version"]}
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=RETRIES))
        return session.get(url, headers=headers, stream=True, timeout=TIMEOUT)


def described(url: str, response: requests.Response) -> dict[str, str]:
    """Return address, version (fit for If-Range) and size of a file, "" where that is not said."""
    etag, size = (response.headers.get(name, "") for name in ("ETag", "Content-Length"))
    if not etag.startswith('"'):  # a weak one promises the same meaning, not the same bytes
        etag = response.headers.get("Last-Modified", "")
    return {"url": url, "version": etag, "size": size if size.isdecimal() else ""}


def continues(url: str, response: requests.Response, start: int, known: dict[str, str]) -> bool:
    """Return whether an answer is the rest of the part; not every server heeds If-Range."""
    rest = f"bytes {start}-{int(known['size']) - 1}/{known['size']}"
    same = described(url, response)["version"] in ("", known["version"])
    return same and response.headers.get("Content-Range") == rest


def receive(response: requests.Response, part: Path, size: str, progress: bool) -> None:
    """Append the body of the answer to the part, which will then have that size."""
    total, start = int(size) if size else None, part.stat().st_size
    with (
        tqdm(total=total, initial=start, unit="B", unit_scale=True, disable=not progress) as bar,
        part.open("ab") as out,
    ):
        for chunk in response.raw.stream(CHUNK, decode_content=False):
            out.write(chunk)
            bar.update(len(chunk))


def root_of(error: BaseException) -> str:
    """Return the first cause of an error in one line: the last is often wrapped many times."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return " ".join(str(error).split()) or type(error).__name__


def unpack(file: Path, target: Path, holds: str) -> None:
    """Unpack the folder of the archive that is called like the target, all of it or nothing.

    Raises:
        DownloadError: if the archive is broken, hostile, or holds something else.
    """
    room = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(room, ignore_errors=True)  # left by a kill
    try:
        with (
            gzip.GzipFile(file) if file.suffix == ".gz" else file.open("rb") as stream,
            tarfile.open(fileobj=stream, mode="r:") as tar,
        ):
            tar.extractall(room, filter=guard(file.stat().st_size))
            # The tar ends before the gzip file does, whose last bytes are the checksum of all.
            while stream.read(CHUNK):
                pass
        if not (room / target.name / holds).exists():
            raise tarfile.TarError(f"no {target.name}/{holds} in it")
        (room / target.name).rename(target)
    # ValueError: names that no file can have, such as one with a NUL in it.
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        raise DownloadError(
            f"{file}: expected a sound tar archive, found: {error}; "
            f"nothing was unpacked: delete the file and run again, or put a good one there"
        ) from error
    finally:
        shutil.rmtree(room, ignore_errors=True)


def guard(packed: int) -> Callable[[tarfile.TarInfo, str], tarfile.TarInfo | None]:
    """Return the "data" filter with a limit of size, for an archive of so many bytes.

    Links are refused too: data sets need none, and the filter has been fooled by them.
    """
    most = min(MOST_GROWTH * max(packed, SMALLEST), MAX_BYTES)
    total = 0

    def check(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
        nonlocal total
        total += member.size + tarfile.BLOCKSIZE  # its header, however empty
        if total > most:
            raise tarfile.TarError(f"it unpacks to more than {most} bytes")
        if not (member.isfile() or member.isdir()) or member.size < 0 or member.name[:1] == "/":
            raise tarfile.TarError(f"{member.name!r} is not a plain file or folder within it")
        return tarfile.data_filter(member, folder)

    return check
