"""Styles, bays and storeys: the grid behind a facade.

The idea: a facade is a small grammar. A *style* sets proportions and habits; the *wall* is cut
into *bays* across and *storeys* down; what stands in the cells of this grid follows from both.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pix2pix_ms.data.facades.geometry import Box, Shape

CORNICE = 0.026  # thickness of the roof cornice
DETACHED = 0.85  # how likely a house is to leave room for neighbours at its sides
NEW_HABITS = 0.35  # how likely a storey is not to repeat the one above, as most real ones do
GABLED_HEAD = 0.4  # how likely the heads of windows are to be triangular


class Style(NamedTuple):
    """Proportions of a kind of house, then how likely (0..1) it is to have each feature.

    `floors` (above the ground floor) and `bays` are ranges. `window` holds the share of the bay
    it takes, the share of the storey, and the greatest width per height.
    """

    name: str
    floors: tuple[int, int]
    bays: tuple[int, int]
    window: tuple[float, float, float]
    arch: float = 0.0
    pair: float = 0.0
    head: float = 0.0
    surround: float = 0.0
    pillar: float = 0.0
    balcony: float = 0.0
    blind: float = 0.0
    shutters: float = 0.0
    deco: float = 0.0
    string: float = 0.0
    shop: float = 0.0
    gable: float = 0.0
    mansard: float = 0.0


STYLES = (
    Style("haussmann", (3, 4), (5, 7), (0.46, 0.74, 0.6), arch=0.1, head=0.4, surround=0.7,
          pillar=0.3, balcony=0.75, blind=0.1, shutters=0.2, deco=0.35, string=0.7, shop=0.7,
          mansard=0.9),
    Style("brick", (2, 4), (4, 7), (0.50, 0.64, 0.72), arch=0.6, pair=0.2, head=0.1, surround=0.5,
          pillar=0.25, balcony=0.1, blind=0.15, shutters=0.1, deco=0.4, string=0.6, shop=0.5,
          gable=0.6),
    Style("plaster", (2, 4), (5, 7), (0.48, 0.64, 0.66), arch=0.2, pair=0.35, head=0.75,
          surround=0.7, pillar=0.5, balcony=0.25, blind=0.15, shutters=0.25, deco=0.4, string=0.7,
          shop=0.4, gable=0.25),
    Style("modern", (3, 5), (3, 6), (0.62, 0.54, 1.5), pair=0.2, pillar=0.1, balcony=0.4,
          blind=0.35, deco=0.05, string=0.35, shop=0.7),
    Style("nouveau", (2, 4), (4, 5), (0.52, 0.68, 0.75), arch=0.6, pair=0.5, head=0.35,
          surround=0.6, pillar=0.6, balcony=0.45, blind=0.15, deco=0.85, string=0.5, shop=0.5,
          gable=0.8),
)  # fmt: skip


class Bay(NamedTuple):
    """A vertical strip of the wall; `axis` marks the middle one, `paired` two windows abreast."""

    left: float
    right: float
    axis: bool
    paired: bool

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2


class Storey(NamedTuple):
    """A horizontal strip of the wall and what all its windows have in common.

    `balcony` says which of them have one: "none", "axis" (the middle bay), "each", or "run" (one
    along all).
    """

    top: float
    bottom: float
    arched: bool
    head: Shape | None
    surround: bool
    balcony: str
    string: bool
    apron: bool
    shutters: bool

    def cell(self, bay: Bay) -> Box:
        """Return where this storey crosses a bay."""
        return Box(bay.left, self.top, bay.right, self.bottom)


def plot(crowned: bool, rng: np.random.Generator) -> Box:
    """Return the wall: sky above, a strip of street below, at times neighbours at the sides."""
    top = rng.uniform(0.17, 0.22) if crowned else rng.uniform(0.05, 0.15)
    left, right = rng.uniform(0.03, 0.13, 2).tolist() if rng.random() < DETACHED else (0.0, 0.0)
    return Box(left, top, 1.0 - right, rng.uniform(0.91, 0.96))


def cuts(start: float, end: float, parts: npt.NDArray[np.float64]) -> list[float]:
    """Return the edges that cut a stretch into parts of these relative lengths."""
    shares = np.concatenate([[0.0], np.cumsum(parts) / parts.sum()])
    edges: list[float] = (start + (end - start) * shares).tolist()
    return edges


def split_bays(wall: Box, style: Style, rng: np.random.Generator) -> list[Bay]:
    """Cut the wall into bays with a rhythm that is the same read from either side."""
    count = int(rng.integers(style.bays[0], style.bays[1] + 1))
    place = np.minimum(np.arange(count), np.arange(count)[::-1])  # 0 at the edges, then inwards
    axis = (place == (count - 1) // 2) & bool(count % 2)
    rhythms = (
        np.ones(count),
        np.where(axis, 1.35, 1.0),  # a wide middle
        np.where(place % 2, 0.8, 1.0),  # wide and narrow in turn
        np.where(place == 0, 1.25, 1.0),  # wide sides
    )
    widths = rhythms[rng.integers(len(rhythms))]
    paired = rng.random() < style.pair
    edges = cuts(wall.left, wall.right, widths)
    return [
        Bay(left, right, bool(middle), paired and width == widths.max())
        for (left, right), middle, width in zip(pairwise(edges), axis, widths, strict=True)
    ]


def split_storeys(wall: Box, style: Style, rng: np.random.Generator) -> list[Storey]:
    """Cut the wall into storeys from the roof down; the last one is the ground floor."""
    count = int(rng.integers(style.floors[0], style.floors[1] + 1))
    heights = np.ones(count + 1)  # an attic that may be low, a tall first floor, a taller ground
    heights[0], heights[-2], heights[-1] = rng.uniform((0.85, 1.0, 1.15), (1.0, 1.2, 1.4))
    edges = cuts(wall.top + CORNICE, wall.bottom, heights)
    habit = storey_habit(style, rng)
    storeys = []
    for upper, lower in pairwise(edges):
        if rng.random() < NEW_HABITS:
            habit = storey_habit(style, rng)
        balcony = "none"
        if rng.random() < style.balcony:
            balcony = str(rng.choice(("axis", "each", "run")))
        storeys.append(habit._replace(top=upper, bottom=lower, balcony=balcony))
    return storeys


def storey_habit(style: Style, rng: np.random.Generator) -> Storey:
    """Draw what the windows of a storey, still without a place, have in common."""
    arch, head, surround, string, apron, shutters = rng.random(6)
    arched = bool(arch < style.arch)
    crest: Shape = "triangle" if rng.random() < GABLED_HEAD else "box"
    return Storey(
        0.0,
        0.0,
        arched,
        crest if head < style.head and not arched else None,
        bool(surround < style.surround),
        "none",
        bool(string < style.string),
        bool(apron < 0.4 * style.deco),
        bool(shutters < style.shutters),
    )
