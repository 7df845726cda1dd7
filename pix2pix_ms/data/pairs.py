"""Where pairs come from: side-by-side images, two folders A and B, procedural facades.

A is the left half or the folder A, B the right half or the folder B; which of them is the network's
input is a choice of training (`Config.direction`), not of the data.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pix2pix_ms.data.facades import facade
from pix2pix_ms.data.images import SUFFIXES, Pixels, dimensions, read_image
from pix2pix_ms.errors import Pix2PixError

SPLITS = ("train", "val", "test")


class Pair(NamedTuple):
    """Two images of one scene, uint8 [H, W, 3] each, and what to call them."""

    a: Pixels
    b: Pixels
    name: str


class PairFiles(NamedTuple):
    """Where a pair lies: one image holding both side by side, or two images."""

    name: str
    a: Path
    b: Path | None = None

    def read(self) -> Pair:
        """Decode the pair; raises Pix2PixError where a file is unfit."""
        if self.b is None:
            return Pair(*halves(self.a), self.name)
        a, b = read_image(self.a), read_image(self.b)
        if a.shape != b.shape:
            raise Pix2PixError(
                f"{self.b}: expected {dimensions(a)} pixels like {self.a}, "
                f"found {dimensions(b)}; make both images of a pair the same size"
            )
        return Pair(a, b, self.name)


def halves(path: Path) -> tuple[Pixels, Pixels]:
    """Cut a side-by-side image into its left and right half.

    Raises:
        Pix2PixError: if it cannot be read or is not twice as wide as high: other shapes are more
            likely single photos, and would be squeezed.
    """
    image = read_image(path)
    height, width = image.shape[:2]
    if width != 2 * height:
        raise Pix2PixError(
            f"{path}: expected two square images side by side ({2 * height}x{height}), "
            f"found {dimensions(image)} pixels; use folders A and B for images of other shapes"
        )
    return image[:, : width // 2], image[:, width // 2 :]


def images_in(folder: Path) -> list[Path]:
    """Return the image files of a folder in the order of their names, numbers counted as such."""
    files = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file()]
    return sorted(files, key=lambda path: (len(path.stem), path.stem, path.suffix))


def find_pairs(folder: Path) -> list[PairFiles]:
    """List the pairs of a folder: its images, side by side each, or its subfolders A and B.

    Raises:
        Pix2PixError: if it is missing, holds no image, or A and B do not match.
    """
    if not folder.is_dir():
        raise Pix2PixError(f"{folder}: expected a folder of images, found none; check the path")
    if (folder / "A").is_dir() and (folder / "B").is_dir():
        return matched(folder / "A", folder / "B")
    found = [PairFiles(path.stem, path) for path in images_in(folder)]
    if not found:
        raise Pix2PixError(
            f"{folder}: expected images ({', '.join(SUFFIXES)}), found none; "
            "give a folder of side-by-side images, or one with subfolders A and B"
        )
    return found


def matched(folder_a: Path, folder_b: Path) -> list[PairFiles]:
    """Pair the images of two folders by name, extensions aside."""
    a, b = by_stem(folder_a), by_stem(folder_b)
    lonely = sorted(a.keys() ^ b.keys())
    if lonely or not a:
        example = f"; {lonely[0]} has no partner" if lonely else ""
        raise Pix2PixError(
            f"{folder_a.parent}: expected the same names in A and B, found {len(a)} images in A "
            f"and {len(b)} in B{example}; remove or add what is missing"
        )
    return [PairFiles(name, path, b[name]) for name, path in a.items()]


def by_stem(folder: Path) -> dict[str, Path]:
    """Return the images of a folder by their names without extension, each of which counts once."""
    found: dict[str, Path] = {}
    for path in images_in(folder):
        if path.stem in found:
            other = found[path.stem].name
            raise Pix2PixError(
                f"{path}: expected one image called {path.stem}, found also {other}; remove one"
            )
        found[path.stem] = path
    return found


def facade_pairs(count: int, size: int, first_seed: int = 0) -> Iterator[Pair]:
    """Yield procedural facades: A the label map, B the photo, `size` pixels a side."""
    for seed in range(first_seed, first_seed + count):
        label_map, photo = facade(seed, size)
        yield Pair(label_map, photo, f"facade_{seed}")
