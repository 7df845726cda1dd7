"""Bring a file from an address, going on from what an interrupted call has left."""

import json
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3
from tqdm import tqdm

from pix2pix_ms.errors import DownloadError

TIMEOUT: tuple[float, float] = (10, 60)  # seconds: to connect, between two pieces of data
CHUNK = 1 << 18


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
    """Add what is missing to the part, and return the size the whole should have, if told."""
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
    """Return what tells this version of the file from others, in a form fit for If-Range."""
    etag = response.headers.get("ETag", "W/")
    # A weak ETag promises the same meaning, not the same bytes.
    return response.headers.get("Last-Modified") if etag.startswith("W/") else etag


def length(response: requests.Response) -> str | None:
    """Return the number of bytes in the body, if it is told; a string of digits."""
    told = response.headers.get("Content-Length", "")
    return told if told.isdecimal() else None


def start_again(url: str, response: requests.Response, part: Part) -> None:
    """Empty the part, and note its version if the server tells enough to go on one day."""
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
