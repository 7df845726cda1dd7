"""A building as a photo-like picture: its parts are painted in order, then the camera looks.

The idea: parts are painted onto a float canvas finer than the picture. What stands out from the
wall first casts a soft shadow, to the right and down, for the light comes from the upper left;
then its painter fills its silhouette. The canvas is averaged down, which smooths all edges, and
leaves through a lens and a noisy sensor.
"""

import numpy as np
import numpy.typing as npt

from pix2pix_ms.data.facades.building import Building
from pix2pix_ms.data.facades.geometry import Box, Mask, Part, silhouette
from pix2pix_ms.data.facades.materials import (
    LIT,
    SHADED,
    SHADOW,
    Floats,
    Look,
    choose_look,
    illuminate,
)
from pix2pix_ms.data.facades.painters import PAINTERS, Site
from pix2pix_ms.data.facades.surroundings import surroundings

FINEST = 512  # the canvas is at least this fine, and twice as fine as the picture

RELIEF = {"molding": 0.003, "sill": 0.01, "cornice": 0.014, "balcony": 0.022, "pillar": 0.006,
          "deco": 0.005, "shop": 0.003, "blind": 0.003}  # fmt: skip
"""How far each kind stands out from the wall, as a share of the picture's side."""
BEVELLED = ("molding", "deco", "blind", "pillar")
BEVEL = 1.5  # width of a bevel, in pixels of the coarsest canvas

DARK_CORNERS = 0.07  # light lost at the middle of an edge; the corners lose twice as much
GRAIN = 0.012  # strength of the sensor's noise


def render(building: Building, seed: int, size: int) -> npt.NDArray[np.uint8]:
    """Return a building's photo, uint8 [size, size, 3]; `seed` draws what geometry leaves open.

    Colours, weather and stains do not depend on the size; only the grain of the sensor does.
    """
    rng = np.random.default_rng([seed, 1])
    side = max(FINEST, 2 * size)
    look = choose_look(building, side, rng)
    canvas = surroundings(building, side, rng)
    for part in building.parts:
        cast_shadow(canvas, part, building.wall)
        paint(canvas, part, look)
    return expose(shrink(canvas, size), rng)


def cast_shadow(canvas: Floats, part: Part, wall: Box) -> None:
    """Darken the wall below and right of what stands out, softly; the sky takes no shadow."""
    if part.kind not in RELIEF:
        return
    depth = RELIEF[part.kind]
    box = part.box
    left, top = max(box.left + depth / 2, wall.left), max(box.top + depth, wall.top)
    right = min(box.right + 0.7 * depth, wall.right)
    bottom = min(box.bottom + 1.5 * depth, wall.bottom)
    if left >= right or top >= bottom:
        return
    patch = canvas[Box(left, top, right, bottom).pixels(len(canvas))]
    soft = max(int(1.5 * depth * len(canvas)), 1)
    rows, columns = fade(len(patch), soft), fade(patch.shape[1], max(soft // 2, 1))
    cover = rows[:, None] * columns
    if part.shape != "box":
        cover *= silhouette(part.shape, *patch.shape[:2])
    illuminate(patch, 1 - (1 - SHADOW) * cover)


def fade(length: int, soft: int) -> Floats:
    """Return ones that fall off to nothing over the last `soft` of `length` values."""
    return np.minimum(np.arange(length, 0, -1, dtype=np.float32) / soft, 1)


def paint(canvas: Floats, part: Part, look: Look) -> None:
    """Paint one part within its silhouette."""
    place = part.box.pixels(len(canvas))
    patch = canvas[place]
    if part.kind == "facade" and part.shape == "box":
        patch[:] = look.wall[place]
        return
    behind = patch.copy() if part.shape != "box" else None
    site = Site(patch, part, look, len(canvas) / FINEST)
    inside = silhouette(part.shape, *patch.shape[:2])
    PAINTERS[part.kind](site)
    if part.kind in BEVELLED:
        bevel(patch, inside, site.thick(BEVEL))
    if behind is not None:
        np.copyto(patch, behind, where=~inside[..., None])


def bevel(patch: Floats, inside: Mask, edge: int) -> None:
    """Light the rim of a silhouette that faces the upper left, shade the one that turns away."""
    lit = inside.copy()
    lit[edge:, edge:] &= ~inside[:-edge, :-edge]
    shaded = inside & ~lit
    shaded[:-edge, :-edge] &= ~inside[edge:, edge:]
    patch[lit] *= LIT
    patch[shaded] *= SHADED


def shrink(canvas: Floats, size: int) -> Floats:
    """Return the canvas averaged down to [size, size, 3]."""
    cell = len(canvas) // size
    rows = sum((canvas[start::cell] for start in range(1, cell)), canvas[::cell])
    total = sum((rows[:, start::cell] for start in range(1, cell)), rows[:, ::cell])
    return np.asarray(total / cell**2, dtype=np.float32)


def expose(scene: Floats, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return the scene as a camera records it, uint8: exposure, dark corners, and grain."""
    size = len(scene)
    square = np.linspace(-1, 1, size, dtype=np.float32) ** 2
    lens = 1 - DARK_CORNERS * (square[:, None] + square[None, :])
    cast = rng.uniform(0.985, 1.015, 3).astype(np.float32)
    grain = GRAIN * rng.standard_normal((size, size, 1), dtype=np.float32)
    photo = scene * lens[..., None]
    photo *= cast
    photo += grain
    return (np.clip(photo, 0, 1) * 255 + 0.5).astype(np.uint8)
