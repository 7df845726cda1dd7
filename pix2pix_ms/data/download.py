"""Fetch a published data set once, safely, and never again.

The idea: three steps, each of which may be killed at any moment without harm. *Fetch* writes to
`ARCHIVE.part` and notes beside it which version of the file that is, so the next call asks only
for the rest. *Check* compares the sha256 with the one recorded when the archive first unpacked.
*Unpack* works in a temporary folder and renames it at the very end, so a data set that is there
is whole. An archive put in place by hand enters at the second step.
"""

import difflib
import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pix2pix_ms.data.fetch import fetch, read_note
from pix2pix_ms.data.unpack import unpack
from pix2pix_ms.errors import DownloadError

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
