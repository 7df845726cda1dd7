"""Procedural facades: an endless supply of (label map, photo) pairs, each grown from a seed.

The idea: the CMP Facade data set, on which pix2pix learns to turn coloured boxes into buildings,
can be imitated without a download. A seed picks a `building`, which is painted twice: in the
twelve flat colours of CMP (`palette`), and as a photo-like picture (`rendering`).
"""

from typing import NamedTuple

from pix2pix_ms.data.facades.building import build
from pix2pix_ms.data.facades.looks import DOMAINS, photograph
from pix2pix_ms.data.facades.palette import (
    COLOURS,
    PALETTE,
    Pixels,
    classes,
    classes_of,
    is_label_map,
)
from pix2pix_ms.data.facades.rendering import render

__all__ = [
    "COLOURS", "DOMAINS", "PALETTE", "SIZES", "Facade", "classes_of", "facade", "is_label_map",
    "styled",
]  # fmt: skip

SIZES = tuple(2**power for power in range(5, 11))


class Facade(NamedTuple):
    """A training pair: label map and photo, both uint8 [size, size, 3], RGB in 0..255."""

    label_map: Pixels
    photo: Pixels


def facade(seed: int, size: int = 256) -> Facade:
    """Return the building that belongs to `seed`, the same one at every size.

    Args:
        seed: any integer from 0 on.
        size: side of both pictures in pixels, a power of two from 32 to 1024.

    Raises:
        ValueError: if the seed is negative or the size is not one of those.
    """
    check(seed, size)
    building = build(seed)
    label_map: Pixels = COLOURS.take(classes(building.parts, size), axis=0)
    return Facade(label_map, render(building, seed, size))


def styled(seed: int, size: int, domain: str) -> Pixels:
    """Return the photo of the building that belongs to `seed` in the look of a domain.

    Its geometry is that of `facade(seed)`; hue, lightness and lit windows are the seed's too.

    Args:
        size: side in pixels, a power of two from 32 to 1024.
        domain: one of `DOMAINS`: brick, stucco, night.

    Returns:
        uint8 [size, size, 3], RGB in 0..255.

    Raises:
        ValueError: if the seed is negative, or size or domain are not one of those.
    """
    check(seed, size)
    if domain not in DOMAINS:
        raise ValueError(f"domain: expected one of {', '.join(DOMAINS)}, found {domain!r}")
    return photograph(build(seed), domain, seed, size)


def check(seed: int, size: int) -> None:
    """Refuse a seed or a size that has no picture."""
    if seed < 0:
        raise ValueError(f"seed: expected an integer from 0 on, found {seed}")
    if size not in SIZES:
        raise ValueError(f"size: expected a power of two from 32 to 1024, found {size}")
