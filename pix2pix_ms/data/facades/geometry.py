"""Boxes, shapes and parts: the geometry in which a facade is written down.

The idea: coordinates run from 0 to 1, x to the right and y downwards, so a building is the same
at every size. A part is a box of that unit square, filled out to a silhouette; only `Box.pixels`
and `silhouette` know of pixels.
"""

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Shape = Literal["box", "arch", "bow", "triangle", "disc", "mansard"]
Slices = tuple[slice, slice]
Mask = npt.NDArray[np.bool_]

STEEPEST_ARCH = 0.45  # greatest rise of an arch, as a share of the height of its box
MANSARD_TOP = 0.9  # width of a mansard roof at its top, as a share of that at its foot


class Box(NamedTuple):
    """A rectangle of the unit square."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def sub(self, left: float, top: float, right: float, bottom: float) -> "Box":
        """Return the box at these shares of this one; shares beyond 0..1 reach outside it."""
        return Box(
            self.left + left * self.width,
            self.top + top * self.height,
            self.left + right * self.width,
            self.top + bottom * self.height,
        )

    def strip(self, reach: float, top: float, bottom: float) -> "Box":
        """Return the strip between two heights, as wide as this box and `reach` more each side."""
        return Box(self.left - reach, top, self.right + reach, bottom)

    def pixels(self, size: int) -> Slices:
        """Return row and column slices on a `size` x `size` grid, at least one pixel each."""
        left, top, right, bottom = (min(max(round(edge * size), 0), size) for edge in self)
        return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


class Part(NamedTuple):
    """One element: its class name, where it is, its silhouette, and a tone in 0..1 for variety."""

    kind: str
    box: Box
    shape: Shape = "box"
    tone: float = 0.5


def square(x: float, y: float, radius: float) -> Box:
    """Return the box around a circle."""
    return Box(x - radius, y - radius, x + radius, y + radius)


def silhouette(shape: Shape, height: int, width: int) -> Mask:
    """Return which pixels of a [height, width] patch a shape covers."""
    if shape == "box":
        return np.broadcast_to(np.True_, (height, width))
    inside: Mask
    y = (np.arange(height)[:, None] + 0.5) / height
    x = np.abs(2 * (np.arange(width)[None, :] + 0.5) / width - 1)  # distance from the axis
    match shape:
        case "triangle":
            inside = x <= y
        case "bow":
            inside = x**2 + (1 - y) ** 2 <= 1
        case "disc":
            inside = x**2 + (2 * y - 1) ** 2 <= 1
        case "mansard":
            inside = x <= MANSARD_TOP + 0.1 * y
        case "arch":
            rise = min(width / 2, STEEPEST_ARCH * height) / height
            inside = x**2 + np.maximum(1 - y / rise, 0) ** 2 <= 1
    return inside
