"""Training data that need no download: procedural facades, and scikit-learn's digits."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pix2pix_ms.config.settings import FacadeSettings, Settings
from pix2pix_ms.data.facades import DOMAINS, SIZES, facade, styled
from pix2pix_ms.data.images import Pair, resized
from pix2pix_ms.data.pair_batches import HELD_OUT_SHARE
from pix2pix_ms.data.records import SUFFIX
from pix2pix_ms.data.writing import LabelledImage, write_images, write_record
from pix2pix_ms.errors import Pix2PixError

DAY_NIGHT = ("stucco", "night")  # the looks of A and B
BRIGHTEST = 16  # of the digits, whose values count the ink in cells of 4x4 pixels

Make = Callable[[Path, Any], None]


def paired_facades(folder: Path, config: FacadeSettings) -> None:
    """Write procedural facades, label map (A) and photo (B), `config.facades` pairs."""
    pairs = facade_pairs(config.facades, facade_size(config))
    bar = tqdm(pairs, "facades", config.facades, unit="pair", disable=None, leave=False)
    write_record(bar, folder / f"train{SUFFIX}")


def unpaired_facades(folder: Path, config: FacadeSettings) -> None:
    """Write photos in stucco (A) and at night (B) of different buildings, and pairs to hold out.

    `config.facades` images in all, half of each; a tenth as many pairs are val.
    """
    size, half, (day, night) = facade_size(config), config.facades // 2, DAY_NIGHT
    images = (
        LabelledImage(styled(seed, size, look), domain, f"{look}_{seed}")
        for domain, look, first in (("A", day, 0), ("B", night, half))
        for seed in range(first, first + half)
    )
    write_images(images, folder / f"train{SUFFIX}")
    pairs = (
        Pair(styled(seed, size, day), styled(seed, size, night), f"facade_{seed}")
        for seed in range(2 * half, 2 * half + max(config.facades // HELD_OUT_SHARE, 1))
    )
    write_record(pairs, folder / f"val{SUFFIX}")


def styled_facades(folder: Path, config: FacadeSettings) -> None:
    """Write photos of buildings in brick, in stucco and at night, a domain each.

    `config.facades` images in all, no building twice; a tenth as many more are val.
    """
    size, names = facade_size(config), list(DOMAINS)

    def images(seeds: range) -> Iterator[LabelledImage]:
        for seed in seeds:
            domain = names[seed % len(names)]
            yield LabelledImage(styled(seed, size, domain), domain, f"{domain}_{seed}")

    last = config.facades + max(config.facades // HELD_OUT_SHARE, len(names))
    write_images(images(range(config.facades)), folder / f"train{SUFFIX}")
    write_images(images(range(config.facades, last)), folder / f"val{SUFFIX}")


def digits(folder: Path, config: Settings) -> None:
    """Write scikit-learn's 1797 handwritten digits, grey, a domain for each of "0" to "9"."""
    from sklearn.datasets import load_digits

    found = load_digits()
    pictures = np.rint(found.images * (255 / BRIGHTEST)).astype(np.uint8)[..., None]
    write_images(
        (
            LabelledImage(resized(picture, *config.shape), str(label), f"digit_{number}")
            for number, (picture, label) in enumerate(zip(pictures, found.target, strict=True))
        ),
        folder / f"train{SUFFIX}",
    )


def facade_size(config: Settings) -> int:
    """Return the smallest size of facades that is not below that of the networks' images."""
    size = next((size for size in SIZES if size >= max(config.shape)), None)
    if size is None:
        raise Pix2PixError(
            f"size: expected at most {SIZES[-1]} for procedural facades, found "
            f"{max(config.shape)}; give your own data"
        )
    return size


def facade_pairs(count: int, size: int, first_seed: int = 0) -> Iterator[Pair]:
    """Yield procedural facades: A the label map, B the photo, `size` pixels a side."""
    for seed in range(first_seed, first_seed + count):
        label_map, photo = facade(seed, size)
        yield Pair(label_map, photo, f"facade_{seed}")
