"""Preparing pairs, beside Pillow: `python -m benchmarks.prepare FOLDER`, of side-by-side JPEGs.

The reference opens every image, converts it to RGB, shrinks it to 286 pixels high and writes a JPEG
of quality 95, in a pool of processes on all cores. Both take turns on the same files: hard links
to FOLDER's images, as many as asked for, and their halves as folders A and B.
"""

import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from PIL import Image, JpegImagePlugin

from pix2pix_ms.data.prepare.prepare import prepare
from pix2pix_ms.data.prepare.workers import cores

FILES = 2000
ROUNDS = 5
HEIGHT = 286


def shrink(source: Path, target: Path) -> None:
    """Write an image at the height at which pix2pix trains."""
    with Image.open(source) as image:
        size = (round(image.width * HEIGHT / image.height), HEIGHT)
        image.convert("RGB").resize(size).save(target, "JPEG", quality=95)


def peer(files: list[Path], out: Path) -> None:
    """Shrink all images on all cores."""
    out.mkdir()
    with multiprocessing.Pool(cores()) as pool:
        pool.starmap(shrink, ((file, out / f"{n}.jpg") for n, file in enumerate(files)), 8)


def links(images: list[Path], folder: Path, count: int) -> None:
    """Fill a folder with links to images, over and over."""
    folder.mkdir(parents=True)
    for number, image in enumerate(islice(cycle(images), count)):
        os.link(image, folder / f"{number}.jpg")


def copy_halves(images: list[Path], folder: Path) -> tuple[list[Path], list[Path]]:
    """Write the halves of images to folders A and B, compressed as the images are."""
    for number, path in enumerate(images):
        with Image.open(path) as image:
            how = {
                "qtables": image.quantization,
                "subsampling": JpegImagePlugin.get_sampling(image),
            }
            middle, (width, height) = image.width // 2, image.size
            for side, box in (("A", (0, 0, middle, height)), ("B", (middle, 0, width, height))):
                (folder / side).mkdir(parents=True, exist_ok=True)
                image.crop(box).save(folder / side / f"{number}.jpg", **how)
    return [sorted((folder / side).iterdir()) for side in "AB"]  # type: ignore[return-value]


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def compare(kind: str, source: Path, work: Path) -> None:
    """Let both take turns on a folder and print medians."""
    files = sorted(source.rglob("*.jpg"))
    ours, theirs = [], []
    for number in range(ROUNDS):
        theirs.append(seconds(lambda: peer(files, work / "peer")))
        shutil.rmtree(work / "peer")
        ours.append(seconds(lambda: prepare(source, work / "ours", force=True)))
        print(f"{kind} {number + 1}: ours {ours[-1]:.2f} s, Pillow {theirs[-1]:.2f} s")
    written = sum(file.stat().st_size for file in (work / "ours").iterdir())
    shutil.rmtree(work / "ours")
    read = sum(file.stat().st_size for file in files)
    print(
        f"{kind}, {len(files)} files on {cores()} cores: ours {len(files) / median(ours):.0f} "
        f"images/s, Pillow {len(files) / median(theirs):.0f}; time ours/Pillow "
        f"{median(ours) / median(theirs):.2f}; record/sources {written / read:.3f}"
    )


def main(folder: Path) -> None:
    """Compare both layouts."""
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        images = [Path(shutil.copy(file, work)) for file in sorted(folder.glob("*.jpg"))]
        links(images, work / "beside", FILES)
        compare("side by side", work / "beside", work)
        for side, halves in zip("AB", copy_halves(images, work / "halves"), strict=True):
            links(halves, work / "apart" / side, FILES // 2)
        compare("folders A and B", work / "apart", work)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
