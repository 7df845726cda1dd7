"""Where pairs come from: side-by-side images, two folders A and B, photos.

A is the left half or the folder A, B the right half or the folder B; which of them is the network's
input is a setting of training (`Config.direction`), not of the data.
"""

import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pix2pix_ms.data.images import (
    FOREIGN,
    SUFFIXES,
    Header,
    Pair,
    Pixels,
    foreign,
    header,
    read_image,
)
from pix2pix_ms.data.prepare.recipe import DEFAULT, Recipe
from pix2pix_ms.errors import Pix2PixError

SPLITS = ("train", "val", "test")
MOST_NAMED = 4  # files named in one line


class PairFiles(NamedTuple):
    """The files of a pair: one image of both (or from which A is made), or two images.

    With a domain, the file of a single image of that domain.
    """

    name: str
    a: Path
    b: Path | None = None
    domain: str | None = None

    def read(self) -> Pair:
        """Decode the pair as RGB; raises Pix2PixError where a file is unfit."""
        if self.b is None:
            return Pair(*halves(self.a), self.name)
        check_equal(self.a, header(self.a), self.b, header(self.b))
        return Pair(read_image(self.a), read_image(self.b), self.name)


class Found(NamedTuple):
    """The contents of a folder: pairs, images without a partner, and other files."""

    layout: str
    pairs: list[PairFiles]
    lonely: list[Path]
    ignored: list[Path]


def halves(path: Path, channels: int = 3, any_width: bool = False) -> tuple[Pixels, Pixels]:
    """Cut a side-by-side image into its left and right half, uint8 [H, W, channels] each."""
    image = read_image(path, channels)
    height, width = image.shape[:2]
    check_halves(path, width, height, any_width)
    return image[:, : width // 2], image[:, width // 2 :]


def check_halves(path: Path, width: int, height: int, any_width: bool = False) -> None:
    """Refuse an image that is not two squares or, with `any_width`, has no equal halves.

    Other shapes are most likely single photos, which would be squeezed.
    """
    if any_width and width % 2:
        raise Pix2PixError(
            f"{path}: expected an even width to cut into halves, found {width}x{height} pixels; "
            "crop it by a column"
        )
    if not any_width and width != 2 * height:
        raise Pix2PixError(
            f"{path}: expected two square images side by side ({2 * height}x{height}), found "
            f"{width}x{height} pixels; prepare with --halves to cut any width down the middle, "
            "with --make if these are single photos, or use folders A and B"
        )


def check_equal(path_a: Path, head_a: Header, path_b: Path, head_b: Header) -> None:
    """Refuse two images of a pair that differ in size."""
    if head_a.size != head_b.size:
        raise Pix2PixError(
            f"{path_b}: expected {head_a.size} pixels like {path_a}, found {head_b.size}; "
            "make both images of a pair the same size"
        )


def entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the images of a folder, sorted by name and number, and everything else in it.

    Hidden files count as no images (macOS writes such as `._1.jpg`).

    Raises:
        Pix2PixError: if it is missing or cannot be read, or a link or a name in it is broken.
    """
    check_link(folder)
    if not folder.is_dir():
        raise Pix2PixError(f"{folder}: expected a folder of images, found none; check the path")
    images: list[Path] = []
    others: list[Path] = []
    try:
        for path in sorted(folder.iterdir(), key=lambda at: (len(at.stem), at.stem, at.suffix)):
            named = path.suffix.lower() in SUFFIXES
            if named:
                check_name(path)
            check_link(path)
            is_image = named and path.name[0] != "." and path.is_file()
            (images if is_image else others).append(path)
    except PermissionError as error:
        raise Pix2PixError(
            f"{error.filename}: expected to read it, found no permission; change its permissions"
        ) from error
    return images, others


def check_name(path: Path) -> None:
    """Refuse a name that cannot be printed or stored in a record."""
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in path.name):
        raise Pix2PixError(
            f"{str(path)!a}: expected a name that can be printed, found control signs or "
            "another encoding than UTF-8; rename it"
        )


def check_link(path: Path) -> None:
    """Refuse a broken link, for which `is_file` and `is_dir` are both false."""
    if path.is_symlink() and not path.exists():
        raise Pix2PixError(
            f"{path}: expected a link to a file or folder, found one that leads nowhere or in a "
            "circle; mend or remove it"
        )


def find_pairs(folder: Path) -> list[PairFiles]:
    """List the pairs of a folder: side-by-side images, or its subfolders A and B.

    Raises:
        Pix2PixError: if it is missing, holds no image, or A and B do not match.
    """
    found = find(folder)
    refuse_lonely([found])
    return found.pairs


def refuse_lonely(splits: Iterable[Found]) -> None:
    """Refuse files without a partner."""
    splits = list(splits)
    lonely = [path for found in splits for path in found.lonely]
    if lonely:
        layout = next(found.layout for found in splits if found.lonely)
        patterns = "{}" in layout
        wanted = f"names as {layout}" if patterns else "the same names in A and B"
        remedy = "add what is missing, or leave them out with --skip-unpaired"
        if not any(found.pairs for found in splits):
            remedy = "if names differ by a part, say so: --pair '{}_IR' '{}_VIS'"
            remedy = "correct --pair" if patterns else remedy
        place = lonely[0].parent if patterns else lonely[0].parent.parent
        raise Pix2PixError(
            f"{place}: expected {wanted}, found {len(lonely)} without a partner: {some(lonely)}; "
            f"{remedy}"
        )


def some(paths: list[Path]) -> str:
    """Name a few files, each with its folder."""
    named = ", ".join("/".join(path.parts[-2:]) for path in paths[:MOST_NAMED])
    more = len(paths) - MOST_NAMED
    return named + (f" and {more} more" if more > 0 else "")


def find(folder: Path, recipe: Recipe = DEFAULT) -> Found:
    """Return the contents of a folder without splits: pairs, photos, or images of domains.

    `recipe.swap` exchanges folders A and B here; halves are exchanged where they are encoded.
    """
    if recipe.unpaired:
        return in_domains(folder)
    files, others = entries(folder)
    side_a, side_b = folder / "A", folder / "B"
    if recipe.make is None and {side_a, side_b} & {*others}:
        found = matched(side_a, side_b, recipe)
        beside = sorted({*files, *others} - {side_a, side_b})
        return found._replace(ignored=found.ignored + beside)
    if recipe.pair is not None:
        return matched(folder, folder, recipe)
    files, others = nested(folder)
    images = by_name(files, folder)
    if not images:
        for path in others:
            if path.suffix.lower() in FOREIGN:
                raise foreign(path)
        raise Pix2PixError(
            f"{folder}: expected images ({', '.join(SUFFIXES)}), found none; "
            "give a folder of side-by-side images, or one with subfolders A and B"
        )
    pairs = [PairFiles(name, path) for name, path in images.items()]
    return Found("photos" if recipe.make else "side by side", pairs, [], others)


def matched(folder_a: Path, folder_b: Path, recipe: Recipe = DEFAULT) -> Found:
    """Pair the images of two folders, or of one, by name without extension; raises as `find`."""
    pattern_a, pattern_b = recipe.pair or ("{}", "{}")
    (files_a, others_a), (files_b, others_b) = nested(folder_a), nested(folder_b)
    a, b = by_name(files_a, folder_a, pattern_a), by_name(files_b, folder_b, pattern_b)
    paired = {side[name] for side in (a, b) for name in a.keys() & b.keys()}
    lonely = [path for path in dict.fromkeys(files_a + files_b) if path not in paired]
    if not (files_a or files_b):
        raise Pix2PixError(f"{folder_a}: expected images in it and in {folder_b}, found none")
    first, second = (b, a) if recipe.swap else (a, b)
    pairs = [PairFiles(name, first[name], second[name]) for name in a if name in b]
    layout = f"folders {folder_a.name} and {folder_b.name}"
    if recipe.pair:
        layout = f"{pattern_a} and {pattern_b}"
    elif folder_a.name == folder_b.name:
        layout = f"folders A/{folder_a.name} and B/{folder_b.name}"
    return Found(layout, pairs, lonely, list(dict.fromkeys(others_a + others_b)))


def nested(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return what `entries` does; of a folder without images, what is in its subfolders."""
    images, others = entries(folder)
    if images:
        return images, others
    below = [path for path in others if path.is_dir() and path.name[0] != "."]
    rest = [path for path in others if path not in below]
    for path in below:
        more, beside = nested(path)
        images, rest = images + more, rest + beside
    return images, rest


def in_domains(folder: Path, names: dict[str, str] | None = None) -> Found:
    """Return the images of a folder's subfolders, each a domain.

    Args:
        names: the subfolders to read, with their domains; by default all, named after themselves.
    """
    found: list[PairFiles] = []
    ignored: list[Path] = []
    if names is None:
        images, others = entries(folder)
        below = [path for path in others if path.is_dir() and path.name[0] != "."]
        names = {path.name: path.name for path in sorted(below)}
        ignored = images + [path for path in others if path not in below]
    if not names:
        raise Pix2PixError(
            f"{folder}: expected a subfolder of images for each domain, found none; "
            "put the images of each domain into a folder of its own"
        )
    for subfolder, domain in names.items():
        check_name(folder / subfolder)
        inside, beside = nested(folder / subfolder)
        members = by_name(inside, folder / subfolder)
        if not members:
            raise Pix2PixError(
                f"{folder / subfolder}: expected images of the domain {domain}, found none; "
                "add some, or remove the folder"
            )
        found += [PairFiles(name, path, domain=domain) for name, path in members.items()]
        ignored += beside
    return Found("domains", found, [], ignored)


def by_name(images: list[Path], folder: Path, pattern: str = "{}") -> dict[str, Path]:
    """Return images by name without extension, subfolders before it; refuse two of one name.

    Of a pattern only what stands for {}, and only of the images that match. Accents are composed
    (NFC), since a Mac writes them decomposed.
    """
    found: dict[str, Path] = {}
    before, after = pattern.split("{}")
    for path in images:
        stem = unicodedata.normalize("NFC", path.stem)
        if not (stem.startswith(before) and stem.endswith(after)):
            continue
        middle = stem.removeprefix(before).removesuffix(after)
        name = "_".join([*path.parent.relative_to(folder).parts, middle])
        if name in found:
            other = found[name].name
            raise Pix2PixError(
                f"{path}: expected one image called {name}, found also {other}; remove one"
            )
        found[name] = path
    return found
