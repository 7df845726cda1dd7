"""What is around a building: the sky, the neighbours' walls, the pavement and the street.

The idea: the surroundings fill the whole canvas from back to front; the building is painted over.
"""

import numpy as np

from pix2pix_ms.data.facades.building import Building
from pix2pix_ms.data.facades.geometry import Box
from pix2pix_ms.data.facades.materials import SHADED, Colour, Floats, dye, field, mix

ZENITH, HAZE = (0.52, 0.67, 0.84), (0.84, 0.89, 0.92)
NEIGHBOUR: Colour = (0.58, 0.54, 0.50)
PAVING, ASPHALT = (0.56, 0.55, 0.53), (0.36, 0.36, 0.37)
PAVEMENT = 0.035  # width of the pavement as it is seen
EAVES = 0.012  # the dark edge of the neighbours' roofs
SKY_CELL = 4  # the sky is so smooth that it is drawn in cells of several pixels


def surroundings(building: Building, side: int, rng: np.random.Generator) -> Floats:
    """Return a canvas [side, side, 3] with all but the building, whose place is left black."""
    canvas = np.zeros((side, side, 3), dtype=np.float32)
    wall = building.wall
    horizon = round(max(wall.top, *building.neighbours) * side)
    clouded = sky(side // SKY_CELL, rng)
    canvas[:horizon] = clouded.repeat(SKY_CELL, 0)[:horizon].repeat(SKY_CELL, 1)
    rough = 1 + 0.04 * field(60, 60, side, rng)
    left, right = building.neighbours
    for box in (Box(0, left, wall.left, 1), Box(wall.right, right, 1, 1)):
        place = box.pixels(side)
        dye(canvas[place], NEIGHBOUR, rough[place] * np.float32(rng.uniform(0.85, 1.1)))
        canvas[box.strip(0, box.top, box.top + EAVES).pixels(side)] *= SHADED
    for top, colour in ((wall.bottom, PAVING), (wall.bottom + PAVEMENT, ASPHALT)):
        place = Box(0, top, 1, 1).pixels(side)
        dye(canvas[place], colour, rough[place])
        canvas[place][: max(side // 200, 1)] *= SHADED  # a dark upper edge
    return canvas


def sky(side: int, rng: np.random.Generator) -> Floats:
    """Return the sky [side, side, 3]: blue above, pale near the horizon, with faint clouds."""
    height = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
    clear = mix(ZENITH, HAZE, np.clip(height * 1.6 + rng.uniform(0.0, 0.5), 0, 1))
    clouds = np.clip(0.3 * field(7, 4, side, rng) + 0.2 * field(18, 10, side, rng), 0, 0.8)
    return mix(clear, HAZE, clouds[..., None])
