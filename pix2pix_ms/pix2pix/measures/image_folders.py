"""Input, generated and target images as folders of PNG files, as FID tools read them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pix2pix_ms.data.images import to_image
from pix2pix_ms.data.records import Record, to_pixels
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.pix2pix.translate import Triple

FOLDERS = ("input", "generated", "target")


@contextmanager
def new_folder(folder: Path | None) -> Iterator[Path | None]:
    """Give a place to write a folder's files, which appears under its name when all are written.

    Raises:
        Pix2PixError: if there is a folder of that name with something in it.
    """
    if folder is None:
        yield None
        return
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise Pix2PixError(
            f"{folder}: expected a new or empty folder for the images, found one in use; "
            "choose another with --save-images"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".writing-") as place:
        writing = Path(place) / folder.name
        writing.mkdir()
        yield writing
        writing.replace(folder)


def file_names(record: Record) -> list[str]:
    """Return the pairs' names, fit for files.

    Raises:
        Pix2PixError: if two are equal, or one is no plain name.
    """
    seen: set[str] = set()
    for name in (names := record.names()):
        if name in seen or Path(name).name != name:
            raise Pix2PixError(
                f"{record.path}: expected plain names, each once, to call the images by, found "
                f"{name!r}{' again' * (name in seen)}; prepare the pairs under other names"
            )
        seen.add(name)
    return names


def save(folder: Path, name: str, triple: Triple) -> None:
    """Write (input, generated, target) to PNG files of one name in folders of their own."""
    for place, image in zip(FOLDERS, triple, strict=True):
        (folder / place).mkdir(exist_ok=True)
        to_image(to_pixels(image)).save(folder / place / f"{name}.png")
