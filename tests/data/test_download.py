"""Downloads against a server on this machine: resumed, checked, unpacked, or refused clearly."""

import io
import json
import random
import re
import shutil
import socket
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pix2pix_ms.data import download as downloading
from pix2pix_ms.data.download import ARCHIVES, download
from pix2pix_ms.errors import DownloadError
from tests.runs import refused

Member = tuple[tarfile.TarInfo, bytes]
ARCHIVE = "facades.tar.gz"


def member(name: str, content: bytes = b"", **attributes: Any) -> Member:
    """Return a tar member; the attributes can make it hostile."""
    info = tarfile.TarInfo(name)
    for key, value in ({"size": len(content)} | attributes).items():
        setattr(info, key, value)
    return info, content


def packed(*members: Member) -> bytes:
    """Return a .tar.gz of these members, stored rather than compressed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=0) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content) if content else None)
    return buffer.getvalue()


def facades(seed: int = 1) -> bytes:
    """Return a small sound archive, the same size for each seed."""
    noise = random.Random(seed).randbytes(100_000)
    return packed(member("facades/train/1.jpg", noise), member("facades/val/1.jpg", b"photo"))


@dataclass
class Site:
    """What the server has, how it misbehaves, and what it was asked and answered."""

    body: bytes = field(default_factory=facades)
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"one"'})
    address: str = ""
    ranges: bool = True
    if_range: bool = True
    drop_after: int | None = None
    statuses: list[int] = field(default_factory=list)
    silent: threading.Event | None = None
    log: list[tuple[str | None, int]] = field(default_factory=list)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer as a server does that knows Range and If-Range, or does not."""
        if self.silent:
            self.silent.wait(2)
        wanted, condition = request.headers["Range"], request.headers["If-Range"]
        stale = self.if_range and condition not in (None, *self.headers.values())
        status, headers, body = 200, self.headers, self.body
        if self.statuses:
            status = self.statuses.pop(0)
        elif wanted and self.ranges and not stale:
            start, size = int(wanted.removeprefix("bytes=").removesuffix("-")), len(body)
            headers = {"Content-Range": f"bytes {start}-{size - 1}/{size}"} | headers
            status, body = (206, body[start:]) if start < size else (416, b"")
        self.log.append((wanted, status))
        request.send_response(status if request.headers["Accept-Encoding"] == "identity" else 406)
        for key, value in ({"Content-Length": str(len(body))} | headers).items():
            if value:
                request.send_header(key, value)
        request.end_headers()
        request.wfile.write(body[: self.drop_after])


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Serve a sound archive on this machine."""
    monkeypatch.setenv("NO_PROXY", "*")
    it = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            it.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        it.address = f"http://127.0.0.1:{server.server_port}/mirror"
        thread = threading.Thread(target=server.serve_forever, args=(0.005,))
        thread.start()
        yield it
        server.shutdown()
        thread.join()


def get(site: Site, into: Path) -> Path:
    """Download `facades` from the test server."""
    return download("facades", into, url=site.address, progress=False)


def refuse(site: Site, into: Path, *about: object) -> None:
    """Fail unless a download is refused in one line that names these, in this order."""
    with refused(".*".join(re.escape(str(subject)) for subject in about), DownloadError):
        get(site, into)


def interrupted(site: Site, into: Path) -> None:
    """Let a download break off after 50000 bytes."""
    site.drop_after = 50000
    refuse(site, into, site.address, "to resume (50000 bytes)")
    assert (into / f"{ARCHIVE}.part").read_bytes() == site.body[:50000]
    site.drop_after = None
    site.log.clear()


def fetch_whole(site: Site, into: Path) -> None:
    """Download `facades`, and assert that all of the archive is there, and nothing else."""
    assert get(site, into) == into / "facades"
    with tarfile.open(fileobj=io.BytesIO(site.body)) as tar:
        for info in tar:
            content = tar.extractfile(info)
            assert content is not None
            assert (into / info.name).read_bytes() == content.read()
    assert (into / ARCHIVE).read_bytes() == site.body
    assert {p.name for p in into.iterdir()} == {"facades", ARCHIVE, "checksums.json"}


def test_a_data_set_is_fetched_once(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where its archive was deleted; the parents of its place are made."""
    into = tmp_path / "some" / "where"
    fetch_whole(site, into)
    assert capsys.readouterr() == ("", "")
    (into / ARCHIVE).unlink()
    assert get(site, into) == into / "facades"
    assert len(site.log) == 1
    download("facades", tmp_path / "loud", url=site.address)
    out, err = capsys.readouterr()
    assert (out, "100%" in err) == ("", True)


# --- Resume --------------------------------------------------------------------------------------

DATED = {"Last-Modified": "Sun, 02 Sep 2018 08:58:00 GMT"}
OTHER = {"body": facades(seed=2), "headers": {"ETag": '"two"'}}
LONGER = {"body": facades() + bytes(100), "headers": {}, "if_range": False}
PARTIAL = {"headers": {"ETag": '"one"', "Content-Range": "bytes 50000-50999/100000"}}
SHORTER = {"body": packed(member("facades/train/1.jpg", b"photo")), "if_range": False}


@pytest.mark.parametrize(
    ("before", "after", "statuses"),
    [
        ({}, {}, [206]),
        ({"ETag": 'W/"1"'} | DATED, {"headers": {"ETag": 'W/"2"'} | DATED}, [206]),
        ({"ETag": '"one"'}, OTHER, [200]),
        ({"ETag": '"one"'}, OTHER | {"if_range": False}, [206, 200]),
        ({"ETag": '"one"'}, LONGER, [206, 200]),
        ({"ETag": '"one"'}, SHORTER, [416, 200]),
        ({"ETag": '"one"'}, {"ranges": False}, [200]),
        ({"ETag": '"one"'}, PARTIAL, [206, 200]),
    ],
    ids=["same", "weak ETag", "other", "no If-Range", "longer", "shorter", "no Range", "partial"],
)
def test_an_interrupted_download_resumes_where_it_is_the_same_file(
    site: Site, tmp_path: Path, before: dict[str, str], after: dict[str, Any], statuses: list[int]
) -> None:
    """A weak ETag must not be used in If-Range; Last-Modified serves instead."""
    site.headers = before or site.headers
    interrupted(site, tmp_path)
    vars(site).update(after)
    fetch_whole(site, tmp_path)
    assert [status for _, status in site.log] == statuses
    assert site.log[0][0] == "bytes=50000-"


def test_it_resumes_again_and_again(site: Site, tmp_path: Path) -> None:
    """After a cut and a refusal, which leaves what has arrived."""
    interrupted(site, tmp_path)
    site.drop_after = 1000
    refuse(site, tmp_path, "to resume (51000 bytes)")
    site.drop_after, site.statuses = None, [403]
    refuse(site, tmp_path, "403 Forbidden; run again to resume (51000 bytes)")
    fetch_whole(site, tmp_path)
    assert site.log == [("bytes=50000-", 206), ("bytes=51000-", 403), ("bytes=51000-", 206)]


def test_a_part_of_unknown_version_is_not_continued(site: Site, tmp_path: Path) -> None:
    interrupted(site, tmp_path)
    (tmp_path / f"{ARCHIVE}.part.version").unlink()
    fetch_whole(site, tmp_path)
    assert site.log == [(None, 200)]


@pytest.mark.parametrize(
    "headers",
    [{}, {"ETag": '"one"', "Content-Length": ""}, {"ETag": '"one"', "Content-Length": "many"},
     {"Content-Encoding": "x-gzip"}],
)  # fmt: skip
def test_servers_that_say_little_can_be_used(
    site: Site, tmp_path: Path, headers: dict[str, str]
) -> None:
    """Without version or size; Apache calls .gz files encoded, which must not be decoded."""
    site.headers = headers
    (tmp_path / f"{ARCHIVE}.part").write_bytes(b"old")
    fetch_whole(site, tmp_path)
    assert site.log == [(None, 200)]


# --- Out of reach --------------------------------------------------------------------------------


def unresolved(*_: object, **__: object) -> None:
    """Look a host up where there is no network."""
    raise socket.gaierror(-2, "Name or service not known")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "404 Not Found; run again, or put"),
        ("http://127.0.0.1:1/mirror", "[Errno"),  # nobody listens there
        ("http://nowhere.invalid/mirror", "[Errno -2] Name or service not known"),
        ("silent", "timed out"),
        (ARCHIVE, "Invalid URL"),
    ],
)
def test_an_unreachable_address_is_named(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, reason: str
) -> None:
    """The error names the address and the place for the file; put there, it is used."""
    monkeypatch.setattr(downloading, "TIMEOUT", (1, 0.1))
    if "nowhere" in address:
        monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    if address == "silent":
        site.silent = threading.Event()
    elif address:
        site.address = address
    else:
        site.statuses = [404]
    by_hand = tmp_path / ARCHIVE
    refuse(site, tmp_path, site.address, f"found: {reason}", by_hand)
    if site.silent:
        site.silent.set()
    assert list(tmp_path.iterdir()) == []
    by_hand.write_bytes(site.body)
    fetch_whole(site, tmp_path)


# --- Checksums -----------------------------------------------------------------------------------


def test_a_changed_archive_is_refused_by_its_checksum(site: Site, tmp_path: Path) -> None:
    """The checksum of the first download is the reference; it can be taken back."""
    get(site, tmp_path)
    record, file = tmp_path / "checksums.json", tmp_path / ARCHIVE
    first = json.loads(record.read_text())["facades"]
    shutil.rmtree(tmp_path / "facades")
    vars(site).update(OTHER)
    file.write_bytes(site.body)
    refuse(site, tmp_path, f"{file}: expected sha256 {first}, found ", record)
    assert not (tmp_path / "facades").exists()
    record.unlink()
    fetch_whole(site, tmp_path)
    assert json.loads(record.read_text())["facades"] != first


def test_a_checksum_joins_those_of_other_data_sets(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that another process recorded meanwhile."""
    unpack = downloading.unpack

    def meanwhile(*given: Any) -> None:
        (tmp_path / "checksums.json").write_text('{"maps": "abc"}')
        unpack(*given)

    monkeypatch.setattr(downloading, "unpack", meanwhile)
    get(site, tmp_path)
    content = json.loads((tmp_path / "checksums.json").read_text())
    assert (content["maps"], len(content["facades"])) == ("abc", 64)


@pytest.mark.parametrize("content", ["{", "[]", '"text"'])
def test_unreadable_checksums_are_an_error(site: Site, tmp_path: Path, content: str) -> None:
    (record := tmp_path / "checksums.json").write_text(content)
    refuse(site, tmp_path, f"{record}: expected JSON")


def test_the_checksum_of_a_broken_archive_is_not_recorded(site: Site, tmp_path: Path) -> None:
    """The login page of a hotel is refused, and the real archive accepted later."""
    site.body = b"<html>Welcome! Room number?</html>"
    refuse(site, tmp_path, f"{tmp_path / ARCHIVE}: expected a sound tar archive")
    (tmp_path / ARCHIVE).unlink()
    site.body = facades()
    fetch_whole(site, tmp_path)


# --- Unpack --------------------------------------------------------------------------------------


def with_member(name: str, content: bytes = b"", **attributes: Any) -> bytes:
    """Return an archive that is sound but for its last member."""
    sound = member("facades/train/1.jpg", b"photo")
    return packed(sound, member(name, content, **attributes))


LINK = {"type": tarfile.SYMTYPE}
HARDLINK = {"type": tarfile.LNKTYPE, "linkname": "facades/train/1.jpg"}
REFUSED = {
    "absolute": (with_member("/tmp/pix2pix-evil", b"evil"), "not a plain file"),
    "outside": (with_member("../evil", b"evil"), "outside"),
    "round about": (with_member("facades/../../evil", b"evil"), "outside"),
    "link": (with_member("facades/a", linkname="../../evil", **LINK), "not a plain file"),
    "inner link": (with_member("facades/a", linkname="train", **LINK), "not a plain file"),
    "hard link": (with_member("facades/a", **HARDLINK), "not a plain file"),
    "pipe": (with_member("facades/a", type=tarfile.FIFOTYPE), "not a plain file"),
    "bomb": (with_member("facades/a", size=101 << 20), "unpacks to more than"),
    "NUL": (with_member("facades/a", pax_headers={"path": "facades/a\0b"}), "null byte"),
    "negative": (with_member("facades/a", size=-1024), "not a plain file"),
    "cut short": (facades()[:-3000], ""),
    "wrong CRC": (facades()[:-8] + bytes(8), "CRC"),
    "damaged": (facades()[:3000] + b"\xff" * 70_000 + facades()[73_000:], ""),
    "other set": (packed(member("maps/train/1.jpg", b"photo")), "no facades/train in it"),
    "no training set": (packed(member("facades/val/1.jpg", b"a")), "no facades/train in it"),
    "empty": (b"", ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_or_broken_archives_are_refused(site: Site, tmp_path: Path, name: str) -> None:
    """And nothing of them stays unpacked, inside or outside."""
    file = tmp_path / "data" / ARCHIVE
    file.parent.mkdir()
    body, reason = REFUSED[name]
    file.write_bytes(body)
    refuse(site, file.parent, f"{file}: expected a sound tar archive, found: ", reason)
    assert list(tmp_path.rglob("*")) == [file.parent, file]
    assert not Path("/tmp/pix2pix-evil").exists()


def test_mindrecord_archive(tmp_path: Path) -> None:
    """The MindSpore archive is a plain tar under another name than its data set."""
    with tarfile.open(tmp_path / "dataset_pix2pix.tar", "w") as tar:
        for name in ("train.mindrecord", "train.mindrecord.db"):
            tar.addfile(tarfile.TarInfo(f"dataset_pix2pix/{name}"))
    folder = download("mindspore-facades", tmp_path, url="http://unused.invalid/")
    assert folder == tmp_path / "dataset_pix2pix"
    assert {p.name for p in folder.iterdir()} == {"train.mindrecord", "train.mindrecord.db"}


def test_kill_while_unpacking(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a data set is never under its final name, and the next call clears it away."""
    half = tmp_path / ".facades.unpacking" / "facades" / "train" / "half.jpg"

    def killed(*_: object, **__: object) -> None:
        half.parent.mkdir(parents=True)
        half.touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tarfile.TarFile, "extract", killed)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # a real kill cleans up nothing
        get(site, tmp_path)
    assert half.exists()
    assert not (tmp_path / "facades").exists()
    fetch_whole(site, tmp_path)
    assert not (tmp_path / "facades" / "train" / "half.jpg").exists()


# --- Names and places ----------------------------------------------------------------------------


def test_an_unknown_name_is_refused_with_all_there_are(tmp_path: Path) -> None:
    with refused(f"one of {', '.join(ARCHIVES)}, found 'facade'"):
        download("facade", tmp_path)


def test_places_that_cannot_be_used_are_named_before_any_transfer(
    site: Site, tmp_path: Path
) -> None:
    (tmp_path / "facades").mkdir()
    refuse(site, tmp_path, f"{tmp_path / 'facades'}: expected train in it")
    (tmp_path / "file").touch()
    into = tmp_path / "file" / "data"
    refuse(site, into, f"{into}: expected to write facades there")
    assert site.log == []


def test_full_disk(site: Site, tmp_path: Path) -> None:
    """The error says so; what has arrived is used once there is room."""
    resource = pytest.importorskip("resource")  # not on Windows
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        refuse(site, tmp_path, f"{tmp_path}: expected to write facades there (29 MB")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    fetch_whole(site, tmp_path)
    assert site.log[1] == ("bytes=4096-", 206)
