"""Looks in which any building can be photographed: the domains of translation between styles.

The idea: the geometry of a building stays; what its wall is made of and the hour of the day are
the domain's. Within a domain hue, lightness and lit windows differ from picture to picture: that
is a picture's style.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pix2pix_ms.data.facades.building import Building
from pix2pix_ms.data.facades.geometry import Part, silhouette
from pix2pix_ms.data.facades.materials import FRAMES, TRIM, Colour, Floats, Look, masonry, mix
from pix2pix_ms.data.facades.palette import Pixels
from pix2pix_ms.data.facades.rendering import cast_shadow, expose, paint, shrink
from pix2pix_ms.data.facades.surroundings import surroundings


class Domain(NamedTuple):
    """What buildings of a domain have in common, and between what they differ.

    A wall's colour lies between the first two of `walls`, then up to `spread` of the way to the
    third; `masonry` is the kind of house whose stones and joints the wall shows.
    """

    walls: tuple[Colour, Colour, Colour]
    spread: float
    trim: Colour
    masonry: str
    light: tuple[Colour, Colour] = ((1, 1, 1), (1, 1, 1))
    lit: tuple[float, float] = (0, 0)


DOMAINS: Mapping[str, Domain] = {
    "brick": Domain(
        ((0.48, 0.13, 0.10), (0.70, 0.33, 0.16), (0.28, 0.10, 0.13)), 0.7, (0.84, 0.78, 0.68),
        "brick",
    ),
    "stucco": Domain(
        ((0.90, 0.74, 0.40), (0.92, 0.72, 0.62), (0.93, 0.92, 0.86)), 0.9, (0.95, 0.94, 0.90),
        "plaster",
    ),
    "night": Domain(
        ((0.80, 0.75, 0.65), (0.66, 0.42, 0.33), (0.70, 0.69, 0.66)), 0.8, TRIM, "haussmann",
        light=((0.13, 0.17, 0.36), (0.36, 0.32, 0.42)), lit=(0.35, 0.95),
    ),
}  # fmt: skip
LAMPS: tuple[Colour, Colour] = ((1.0, 0.66, 0.26), (1.0, 0.88, 0.58))  # from warm to white light
GLOWS = ("window", "shop")
DIMMEST = 0.65  # lamp to the brightest lamp
RIM = 0.1  # of a window, as a share of its shorter side: the frame that does not shine


def photograph(building: Building, domain: str, seed: int, size: int) -> Pixels:
    """Return a building's photo in the look of a domain, uint8 [size, size, 3].

    `seed` draws what the domain leaves open; it does not depend on the size.
    """
    look_of = DOMAINS[domain]
    rng = np.random.default_rng([seed, 2, list(DOMAINS).index(domain)])
    side = 4 * size
    look = choose(building, look_of, side, rng)
    canvas = surroundings(building, side, rng)
    lamps = np.zeros_like(canvas)
    share, lamp = rng.uniform(*look_of.lit), mix(*LAMPS, rng.random())
    for part in building.parts:
        cast_shadow(canvas, part, building.wall)
        paint(canvas, part, look)
        burns = part.kind in GLOWS and rng.random() < share
        shine(lamps, part, lamp * np.float32(burns * rng.uniform(DIMMEST, 1)))
    canvas *= mix(*look_of.light, rng.random())
    np.maximum(canvas, lamps * np.clip(canvas / canvas.max() + 0.75, 0, 1), out=canvas)
    return expose(shrink(canvas, size), rng)


def choose(building: Building, domain: Domain, side: int, rng: np.random.Generator) -> Look:
    """Draw the colours of a building within its domain and make its wall."""
    one, other, pale = domain.walls
    plain = mix(mix(one, other, rng.random()), pale, domain.spread * rng.random())
    trim = mix(domain.trim, plain, rng.uniform(0.1, 0.3))
    frame = rng.choice(np.array(FRAMES)).astype(np.float32)
    clad = building._replace(style=building.style._replace(name=domain.masonry))
    wall = masonry(clad, side, plain, trim, rng)
    return Look(wall, trim, frame, building.style.name == "modern")


def shine(lamps: Floats, part: Part, light: Floats) -> None:
    """Let the panes of a part shine; what stands in front of others is dark before them."""
    patch = lamps[part.box.pixels(len(lamps))]
    height, width = patch.shape[:2]
    inside = silhouette(part.shape, height, width)
    np.copyto(patch, np.float32(0), where=inside[..., None])
    if part.kind == "balcony":
        return
    rim = max(round(RIM * min(height, width)), 1)
    pane = patch[rim : height - rim, rim : width - rim]
    within = inside[rim : height - rim, rim : width - rim, None]
    np.copyto(pane, light, where=within)
