"""How `prepare` converts images: channels, sides, size, and inputs made from photos."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pix2pix_ms.data.images import MODES, Pixels, to_array, to_image
from pix2pix_ms.errors import Pix2PixError

SIGMA = 2.0  # pixels: finer structure than this makes no edge


def gray(photo: Pixels) -> Pixels:
    """Return a photo, uint8 [H, W, 3], in shades of grey: uint8 [H, W, 1]."""
    return to_array(to_image(photo).convert("L"))


def edges(photo: Pixels) -> Pixels:
    """Draw the edges of a photo (Canny 1986), black on white: uint8 [H, W, 3] to [H, W, 1]."""
    from skimage.feature import canny  # takes half a second to import

    found = canny(gray(photo)[..., 0], sigma=SIGMA)
    return np.where(found, 0, 255).astype(np.uint8)[..., None]


def lab(photo: Pixels) -> Pixels:
    """Return the lightness of a photo, for colourisation: uint8 [H, W, 3] to [H, W, 1]."""
    from pix2pix_ms.data.lab import lightness

    return lightness(photo)


MAKERS: dict[str, Callable[[Pixels], Pixels]] = {"gray": gray, "edges": edges, "lab": lab}


@dataclass(frozen=True)
class Recipe:
    """How the files of a pair are converted.

    Raises:
        Pix2PixError: if a value is off, or two of them contradict each other.
    """

    channels: tuple[int, int] | None = None
    """Of A and B: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA; None: RGB, or as `make` makes it."""
    make: str | None = None
    """One of `MAKERS`: every image is a photo B, from which A is made."""
    pair: tuple[str, str] | None = None
    """Names of A and B, with {} for what both have; None: the same names in folders A and B."""
    swap: bool = False
    """B is on the left, or in the folder A."""
    halves: bool = False
    """Cut images of any even width down the middle, not only two squares."""
    shrink: int | None = None
    """Make the shorter side of larger images this many pixels."""
    unpaired: bool = False
    """Every image is a single one, of the domain after which its folder is named."""

    def __post_init__(self) -> None:
        for name, first in (("unpaired", "make"), ("make", "channels")):  # of single images
            found = [other for other in (first, "pair", "swap", "halves") if getattr(self, other)]
            if getattr(self, name) and found:
                raise Pix2PixError(
                    f"{name}: expected no {first}, pair, swap or halves beside it, found "
                    f"{found[0]}; leave it out"
                )
        if self.pair and self.halves:
            raise Pix2PixError("halves: expected no pair beside it, found one; leave it out")
        patterns = self.pair or ("{}a", "{}b")
        if patterns[0] == patterns[1] or any(each.count("{}") != 1 for each in patterns):
            raise Pix2PixError(
                "pair: expected two names with {} once in each, such as '{}_IR' '{}_VIS', found "
                f"{' '.join(patterns)}"
            )
        if self.unpaired and self.channels and self.channels[0] != self.channels[1]:
            raise Pix2PixError(
                "channels: expected the same number twice for unpaired images, found "
                f"{self.channels[0]} and {self.channels[1]}"
            )
        if self.make is not None and self.make not in MAKERS:
            raise Pix2PixError(f"make: expected one of {', '.join(MAKERS)}, found {self.make!r}")
        if self.channels is not None and not set(self.channels) <= MODES.keys():
            raise Pix2PixError(f"channels: expected two from 1 to 4, found {self.channels}")
        if self.shrink is not None and self.shrink < 1:
            raise Pix2PixError(f"shrink: expected at least 1 pixel, found {self.shrink}")

    @property
    def stored(self) -> tuple[int, int]:
        """The channels with which A and B are stored."""
        return self.channels or ((1, 3) if self.make else (3, 3))


DEFAULT = Recipe()
