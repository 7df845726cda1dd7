"""Downloads against a server on this machine: resumed, checked, unpacked, or refused clearly."""

import io
import json
import random
import shutil
import socket
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pix2pix_ms.data import download as download_module
from pix2pix_ms.data.download import ARCHIVES, download, guard
from pix2pix_ms.errors import DownloadError

Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes = b"", **attributes: Any) -> Member:
    """Return a tar member; the attributes can make it hostile."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in attributes.items():
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
    """What the server holds, how it misbehaves, and what it was asked and answered."""

    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"one"'})
    address: str = ""
    ranges: bool = True
    if_range: bool = True
    drop_after: int | None = None
    statuses: list[int] = field(default_factory=list)
    silent: threading.Event | None = None
    log: list[tuple[str | None, int]] = field(default_factory=list)

    def answer(
        self, wanted: str | None, condition: str | None
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body for a Range and an If-Range header."""
        stale = self.if_range and condition not in (None, *self.headers.values())
        if self.statuses or wanted is None or not self.ranges or stale:
            return self.statuses.pop(0) if self.statuses else 200, self.headers, self.body
        start, size = int(wanted.removeprefix("bytes=").removesuffix("-")), len(self.body)
        if start >= size:
            return 416, {"Content-Range": f"bytes */{size}"}, b""
        told = self.headers | {"Content-Range": f"bytes {start}-{size - 1}/{size}"}
        return 206, told, self.body[start:]


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    """Return a request handler that serves this site."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if site.silent:
                site.silent.wait(2)
            wanted = self.headers["Range"]
            status, headers, body = site.answer(wanted, self.headers["If-Range"])
            site.log.append((wanted, status))
            if self.headers["Accept-Encoding"] != "identity":
                status = 406
            self.send_response(status)
            for key, value in ({"Content-Length": str(len(body))} | headers).items():
                if value:
                    self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body[: site.drop_after])

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Serve a sound archive on this machine."""
    monkeypatch.setenv("NO_PROXY", "*")
    it = Site(facades())
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(it)) as server:
        it.address = f"http://127.0.0.1:{server.server_port}/mirror"
        thread = threading.Thread(target=server.serve_forever, args=(0.005,))
        thread.start()
        yield it
        server.shutdown()
        thread.join()


def get(site: Site, into: Path) -> Path:
    """Download `facades` from the test server."""
    return download("facades", into, url=site.address, progress=False)


def refusal(act: Callable[[], object]) -> str:
    """Return the message of the error that must come; it must be one line."""
    with pytest.raises(DownloadError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def interrupted(site: Site, into: Path, after: int = 50000) -> None:
    """Let a download break off; the part and its note stay."""
    site.drop_after = after
    message = refusal(lambda: get(site, into))
    assert f"{after} bytes are kept" in message
    assert site.address in message
    assert (into / "facades.tar.gz.part").read_bytes() == site.body[:after]
    site.drop_after = None
    site.log.clear()


def assert_whole(into: Path, body: bytes) -> None:
    """Assert that all of the archive is there, and nothing is left over."""
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        for info in tar:
            content = tar.extractfile(info)
            assert content is not None
            assert (into / info.name).read_bytes() == content.read()
    assert (into / "facades.tar.gz").read_bytes() == body
    assert {p.name for p in into.iterdir()} == {"facades", "facades.tar.gz", "checksums.json"}


def test_first_download(site: Site, tmp_path: Path) -> None:
    """The folder is returned, whole; the parents of its place are made."""
    into = tmp_path / "some" / "where"
    assert get(site, into) == into / "facades"
    assert_whole(into, site.body)


def test_done_already_needs_no_network(site: Site, tmp_path: Path) -> None:
    """The second call asks nobody, even without the archive."""
    get(site, tmp_path)
    (tmp_path / "facades.tar.gz").unlink()
    site.log.clear()
    assert get(site, tmp_path) == tmp_path / "facades"
    assert site.log == []


def test_progress_bar(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The bar goes to stderr and can be silenced."""
    download("facades", tmp_path / "loud", url=site.address)
    out, err = capsys.readouterr()
    assert (out, "100%" in err) == ("", True)
    get(site, tmp_path / "quiet")
    assert capsys.readouterr() == ("", "")


# --- Resume --------------------------------------------------------------------------------------


def test_resume_asks_only_for_the_rest(site: Site, tmp_path: Path) -> None:
    """After two interruptions the third call completes the file."""
    interrupted(site, tmp_path)
    site.drop_after = 1000
    refusal(lambda: get(site, tmp_path))
    site.drop_after = None
    get(site, tmp_path)
    assert site.log == [("bytes=50000-", 206), ("bytes=51000-", 206)]
    assert_whole(tmp_path, site.body)


def test_resume_by_date_where_the_etag_is_weak(site: Site, tmp_path: Path) -> None:
    """A weak ETag must not be used in If-Range; Last-Modified serves instead."""
    site.headers = {"ETag": 'W/"one"', "Last-Modified": "Sun, 02 Sep 2018 08:58:00 GMT"}
    interrupted(site, tmp_path)
    site.headers["ETag"] = 'W/"other"'
    get(site, tmp_path)
    assert site.log == [("bytes=50000-", 206)]
    assert_whole(tmp_path, site.body)


OTHER = {"body": facades(seed=2), "headers": {"ETag": '"two"'}}
LONGER = {"body": facades() + bytes(100), "headers": {}}
SHORTER = {"body": packed(member("facades/train/1.jpg", b"photo"))}


@pytest.mark.parametrize(
    ("change", "statuses"),
    [
        (OTHER, [200]),
        (OTHER | {"if_range": False}, [206, 200]),
        (LONGER | {"if_range": False}, [206, 200]),
        (SHORTER | {"if_range": False}, [416, 200]),
        ({"ranges": False}, [200]),
    ],
)
def test_starts_again(
    site: Site, tmp_path: Path, change: dict[str, Any], statuses: list[int]
) -> None:
    """A part that does not continue into the file on the server is thrown away."""
    interrupted(site, tmp_path)
    vars(site).update(change)
    get(site, tmp_path)
    assert [status for _, status in site.log] == statuses
    assert site.log[0][0] == "bytes=50000-"
    assert_whole(tmp_path, site.body)


@pytest.mark.parametrize("note", ["", "[]", '{"url": "http://elsewhere.invalid/"}', None])
def test_starts_again_without_a_valid_note(site: Site, tmp_path: Path, note: str | None) -> None:
    """A part of unknown origin is not continued: nobody could tell the mixture from the file."""
    interrupted(site, tmp_path)
    place = tmp_path / "facades.tar.gz.part.json"
    if note is None:
        place.unlink()
    else:
        place.write_text(note)
    get(site, tmp_path)
    assert site.log == [(None, 200)]
    assert_whole(tmp_path, site.body)


@pytest.mark.parametrize(
    "headers",
    [{}, {"ETag": '"one"', "Content-Length": ""}, {"ETag": '"one"', "Content-Length": "many"}],
)
def test_starts_again_without_version_or_size(
    site: Site, tmp_path: Path, headers: dict[str, str]
) -> None:
    """A server that tells no version, or no size, can be used but not resumed."""
    site.headers = headers
    (tmp_path / "facades.tar.gz.part").write_bytes(b"old")
    get(site, tmp_path)
    assert site.log == [(None, 200)]
    assert_whole(tmp_path, site.body)


def test_less_than_promised(site: Site, tmp_path: Path) -> None:
    """A part is complete only when it has the size told at the start, whatever is told later."""
    interrupted(site, tmp_path)
    site.headers["Content-Length"] = "1000"
    assert f"found: 51000 of {len(site.body)} bytes" in refusal(lambda: get(site, tmp_path))
    del site.headers["Content-Length"]
    get(site, tmp_path)
    assert site.log[-1] == ("bytes=51000-", 206)
    assert_whole(tmp_path, site.body)


def test_complete_part_needs_no_network(site: Site, tmp_path: Path) -> None:
    """A kill between the last byte and the renaming costs nothing."""
    interrupted(site, tmp_path)
    (tmp_path / "facades.tar.gz.part").write_bytes(site.body)
    get(site, tmp_path)
    assert site.log == []
    assert_whole(tmp_path, site.body)


def test_bytes_are_counted_as_sent(site: Site, tmp_path: Path) -> None:
    """Apache calls .gz files encoded; decoding them would change their size and checksum."""
    site.headers["Content-Encoding"] = "x-gzip"
    get(site, tmp_path)
    assert_whole(tmp_path, site.body)


# --- Out of reach --------------------------------------------------------------------------------


def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.statuses = [503, 503]
    get(site, tmp_path)
    assert site.log == [(None, 503), (None, 503), (None, 200)]
    assert_whole(tmp_path, site.body)


def test_a_refusal_leaves_what_has_arrived(site: Site, tmp_path: Path) -> None:
    interrupted(site, tmp_path)
    site.statuses = [403]
    assert "403 Forbidden; run again to go on (50000 bytes" in refusal(lambda: get(site, tmp_path))
    get(site, tmp_path)
    assert site.log[1:] == [("bytes=50000-", 206)]
    assert_whole(tmp_path, site.body)


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
        ("facades.tar.gz", "Invalid URL"),
    ],
)
def test_out_of_reach(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, reason: str
) -> None:
    """The error names the address and the place for the file; put there, it is used."""
    monkeypatch.setattr("pix2pix_ms.data.download.TIMEOUT", (1, 0.1))
    if "nowhere" in address:
        monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    if address == "silent":
        site.silent = threading.Event()
    elif address:
        site.address = address
    else:
        site.statuses = [404]
    message = refusal(lambda: get(site, tmp_path))
    if site.silent:
        site.silent.set()
    by_hand = tmp_path / "facades.tar.gz"
    assert all(part in message for part in (f"found: {reason}", site.address, str(by_hand)))
    assert list(tmp_path.iterdir()) == []
    by_hand.write_bytes(site.body)
    get(site, tmp_path)
    assert_whole(tmp_path, site.body)


# --- Checksums -----------------------------------------------------------------------------------


def test_other_bytes_than_the_first_time_are_refused(site: Site, tmp_path: Path) -> None:
    """The checksum of the first download is the reference; the record can be taken back."""
    get(site, tmp_path)
    record = tmp_path / "checksums.json"
    first = json.loads(record.read_text())["facades"]
    shutil.rmtree(tmp_path / "facades")
    vars(site).update(OTHER)
    (tmp_path / "facades.tar.gz").write_bytes(site.body)
    message = refusal(lambda: get(site, tmp_path))
    assert f"expected sha256 {first}, found " in message
    assert all(str(path) in message for path in (tmp_path / "facades.tar.gz", record))
    assert not (tmp_path / "facades").exists()
    record.unlink()
    get(site, tmp_path)
    assert_whole(tmp_path, site.body)
    assert json.loads(record.read_text())["facades"] != first


def test_record_keeps_the_others(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new checksum joins those of other data sets, also one recorded while it was unpacked."""
    whole = download_module.unpack

    def meanwhile(*given: Any) -> None:
        (tmp_path / "checksums.json").write_text('{"maps": "abc"}')
        whole(*given)

    monkeypatch.setattr(download_module, "unpack", meanwhile)
    get(site, tmp_path)
    content = json.loads((tmp_path / "checksums.json").read_text())
    assert (content["maps"], len(content["facades"])) == ("abc", 64)


@pytest.mark.parametrize("content", ["{", "[]", '{"facades": 1}'])
def test_broken_record(site: Site, tmp_path: Path, content: str) -> None:
    """An unreadable record is an error: taking it for empty would trust anything."""
    record = tmp_path / "checksums.json"
    record.write_text(content)
    assert f"{record}: expected JSON" in refusal(lambda: get(site, tmp_path))


def test_what_does_not_unpack_is_no_reference(site: Site, tmp_path: Path) -> None:
    """The login page of a hotel is refused, and the real archive accepted later."""
    real, site.body = site.body, b"<html>Welcome! Room number?</html>"
    message = refusal(lambda: get(site, tmp_path))
    assert f"{tmp_path / 'facades.tar.gz'}: expected a sound tar archive" in message
    (tmp_path / "facades.tar.gz").unlink()
    site.body = real
    get(site, tmp_path)
    assert_whole(tmp_path, site.body)


# --- Unpack --------------------------------------------------------------------------------------

SOUND = member("facades/train/1.jpg", b"photo")
SYMLINK, HARDLINK, PIPE = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        (member("/tmp/pix2pix-evil", b"evil"), "not a plain file"),
        (member("../evil", b"evil"), "outside"),
        (member("facades/../../evil", b"evil"), "outside"),
        (member("facades/link", type=SYMLINK, linkname="../../evil"), "not a plain file"),
        (member("facades/link", type=SYMLINK, linkname="train"), "not a plain file"),
        (member("facades/link", type=HARDLINK, linkname="facades/train/1.jpg"), "not a plain"),
        (member("facades/pipe", type=PIPE), "not a plain file"),
        (member("facades/bomb", size=101 << 20), "unpacks to more than"),
        (member("facades/nul", pax_headers={"path": "facades/a\0b"}), "null byte"),
        (member("facades/minus", size=-1024), "not a plain file"),
    ],
)
def test_hostile_members(tmp_path: Path, hostile: Member, reason: str) -> None:
    """They are refused, and nothing of the archive stays unpacked, inside or outside."""
    into = tmp_path / "data"
    into.mkdir()
    (into / "facades.tar.gz").write_bytes(packed(SOUND, hostile))
    assert reason in refusal(lambda: download("facades", into))
    assert [p.name for p in into.iterdir()] == ["facades.tar.gz"]
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(("size", "most"), [(1, 100 << 20), (10**7, 10**9)])
def test_most_that_an_archive_may_unpack_to(size: int, most: int) -> None:
    """A hundredfold, each member's header too; tiny archives are given some room."""
    check = guard(size)
    assert check(member("fits", size=most - tarfile.BLOCKSIZE)[0], "/")
    with pytest.raises(tarfile.TarError, match=f"more than {most} bytes"):
        check(member("one more")[0], "/")


@pytest.mark.parametrize(
    "body",
    [
        facades()[:-3000],
        facades()[:-8] + bytes(8),
        facades()[:3000] + b"\xff" * 70_000 + facades()[73_000:],
        packed(member("maps/train/1.jpg", b"photo")),
        packed(member("facades/val/1.jpg", b"photo")),
        b"",
    ],
    ids=["cut short", "wrong CRC", "damaged", "other set", "no training set", "empty"],
)
def test_broken_archives(tmp_path: Path, body: bytes) -> None:
    """They are refused by name, and nothing stays unpacked."""
    file = tmp_path / "facades.tar.gz"
    file.write_bytes(body)
    message = refusal(lambda: download("facades", tmp_path))
    assert message.startswith(f"{file}: expected a sound tar archive")
    assert list(tmp_path.iterdir()) == [file]


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
    room = tmp_path / ".facades.unpacking"

    def killed(*_: object, **__: object) -> None:
        (room / "facades" / "train").mkdir(parents=True)
        (room / "facades" / "train" / "half.jpg").touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tarfile.TarFile, "extractall", killed)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # a real kill cleans up nothing
        get(site, tmp_path)
    assert (room / "facades" / "train" / "half.jpg").exists()
    assert not (tmp_path / "facades").exists()
    get(site, tmp_path)
    assert_whole(tmp_path, site.body)
    assert not (tmp_path / "facades" / "train" / "half.jpg").exists()


# --- Names and places ----------------------------------------------------------------------------


def test_unknown_name(tmp_path: Path) -> None:
    """The error lists all names and the nearest."""
    message = refusal(lambda: download("facade", tmp_path))
    assert all(name in message for name in ARCHIVES)
    assert "found 'facade'; did you mean facades?" in message
    assert "did you mean" not in refusal(lambda: download("!", tmp_path))


def test_folder_without_the_data(site: Site, tmp_path: Path) -> None:
    """A folder that is there but not the data set is neither taken for it nor overwritten."""
    (tmp_path / "facades").mkdir()
    message = refusal(lambda: get(site, tmp_path))
    assert f"{tmp_path / 'facades'}: expected train in it" in message
    assert site.log == []


def test_unwritable_place(site: Site, tmp_path: Path) -> None:
    """A place that cannot be a folder is named, before any transfer."""
    (tmp_path / "file").touch()
    into = tmp_path / "file" / "data"
    assert refusal(lambda: get(site, into)).startswith(f"{into}: expected to write facades there")
    assert site.log == []


def test_full_disk(site: Site, tmp_path: Path) -> None:
    """The error says so; what has arrived is kept, and used once there is room."""
    resource = pytest.importorskip("resource")  # not on Windows
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        message = refusal(lambda: get(site, tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert message.startswith(f"{tmp_path}: expected to write facades there (29 MB")
    get(site, tmp_path)
    assert site.log[1] == ("bytes=4096-", 206)
    assert_whole(tmp_path, site.body)


def test_archives_do_not_share_a_place() -> None:
    """Each has its own file and folder name, so all fit in one folder."""
    files = {archive.url.rpartition("/")[2] for archive in ARCHIVES.values()}
    folders = {archive.unpacks_to for archive in ARCHIVES.values()}
    assert len(files) == len(folders) == len(ARCHIVES)
    assert not files & folders
