"""A whole building from a seed: the elements of a facade, arranged on its grid.

The idea: the outcome is a flat list of parts in painting order, from the bare wall to what stands
out most. Label map and photo are both painted from this one list, so they agree.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pix2pix_ms.data.facades.elements import (
    balcony,
    door,
    dormer,
    gable,
    row,
    sill,
    window,
    windows,
)
from pix2pix_ms.data.facades.geometry import Box, Part, square
from pix2pix_ms.data.facades.layout import (
    CORNICE,
    STYLES,
    Bay,
    Storey,
    Style,
    plot,
    split_bays,
    split_storeys,
)

# Thicknesses and reaches, as shares of the picture's side.
OVERHANG = 0.014  # how far the roof cornice stands out beyond the wall
SHOPLINE, SHOPLINE_OVERHANG = 0.02, 0.006  # the cornice above the ground floor
STRING = 0.013  # a string course
PLINTH = 0.022
PILASTER = 0.02  # width
ROOF, ROOF_INSET = 0.13, 0.004  # height of a mansard roof, and how far it stands back
LARGEST_MEDALLION, SMALLEST_MEDALLION = 0.022, 0.01  # radii

SHOP = (0.07, 0.12, 0.93, 1.0)  # a shop within its cell of the ground floor, as shares of that

CENTRAL_ENTRANCE = 0.6  # how likely the entrance is sure to be in the middle
FEW_PILASTERS = 0.5  # how likely pilasters stand on the outer bay lines only


class Building(NamedTuple):
    """A whole facade: its style, the wall, the neighbours' roof lines and all parts in order."""

    style: Style
    wall: Box
    neighbours: tuple[float, float]
    ground_floor: float
    parts: tuple[Part, ...]


def build(seed: int) -> Building:
    rng = np.random.default_rng([seed, 0])
    style = STYLES[rng.integers(len(STYLES))]
    mansard, gabled = rng.random() < style.mansard, rng.random() < style.gable
    wall = plot(mansard or gabled, rng)
    bays = split_bays(wall, style, rng)
    *upper, ground = split_storeys(wall, style, rng)
    parts = [Part("facade", wall)]
    parts += pilasters(wall, bays, ground, style, rng)
    parts += string_courses(wall, upper)
    parts += [part for storey in upper for part in upper_floor(storey, bays, style, rng)]
    parts += ground_floor(wall, ground, bays, style, rng)
    parts += medallions(upper, bays, style, rng)
    parts += crown(wall, bays, mansard, gabled, rng)
    neighbours = (rng.uniform(0.1, 0.75), rng.uniform(0.1, 0.75))
    return Building(style, wall, neighbours, ground.top, tuple(parts))


def pilasters(
    wall: Box, bays: list[Bay], ground: Storey, style: Style, rng: np.random.Generator
) -> list[Part]:
    """Return pilasters from the ground floor to the roof: on all bay lines or the outer ones."""
    if rng.random() > style.pillar:
        return []
    lines = [bay.left for bay in bays[1:]]
    if rng.random() < FEW_PILASTERS:
        lines = lines[:: max(len(lines) - 1, 1)]
    half = PILASTER / 2
    places = [wall.left + half, *lines, wall.right - half]
    return [Part("pillar", Box(x - half, wall.top, x + half, ground.top)) for x in places]


def string_courses(wall: Box, upper: list[Storey]) -> list[Part]:
    """Return the bands between storeys, and the stronger one above the ground floor."""
    between = [storey.bottom for storey in upper[:-1] if storey.string]
    bands = [Part("molding", wall.strip(0.0, y - STRING, y)) for y in between]
    foot = upper[-1].bottom
    return [*bands, Part("cornice", wall.strip(SHOPLINE_OVERHANG, foot - SHOPLINE, foot))]


def upper_floor(
    storey: Storey, bays: list[Bay], style: Style, rng: np.random.Generator
) -> list[Part]:
    """Return the windows of one storey with all that belongs to them, then its long balcony."""
    parts, openings = [], []
    for bay in bays:
        boxes = windows(bay, storey, style)
        openings += boxes
        for box in boxes:
            parts += window(box, storey, style, rng)
        own_balcony = storey.balcony == "each" or (storey.balcony == "axis" and bay.axis)
        parts.append(balcony(row(boxes)) if own_balcony else sill(row(boxes)))
    if storey.balcony == "run":
        parts.append(balcony(row(openings)))
    elif storey.balcony == "axis" and not any(bay.axis for bay in bays):
        parts.append(balcony(row(openings[1:-1])))
    return parts


def ground_floor(
    wall: Box, ground: Storey, bays: list[Bay], style: Style, rng: np.random.Generator
) -> list[Part]:
    """Return plinth, entrance, and either shops or windows in the other bays."""
    shops = rng.random() < style.shop
    entrance = len(bays) // 2 if rng.random() < CENTRAL_ENTRANCE else int(rng.integers(len(bays)))
    parts = [Part("molding", wall.strip(0.0, wall.bottom - PLINTH, wall.bottom))]
    for number, bay in enumerate(bays):
        if number == entrance:
            parts += door(ground.cell(bay), style, rng)
        elif shops:
            parts.append(Part("shop", ground.cell(bay).sub(*SHOP), "box", rng.random()))
        else:  # plain windows above the plinth
            boxes = windows(bay, ground._replace(bottom=ground.bottom - PLINTH), style)
            plain = ground._replace(head=None, apron=False)
            parts += [part for box in boxes for part in window(box, plain, style, rng)]
            parts.append(sill(row(boxes)))
    return parts


def medallions(
    upper: list[Storey], bays: list[Bay], style: Style, rng: np.random.Generator
) -> list[Part]:
    """Return round ornaments on the piers between the windows of one storey."""
    if rng.random() > style.deco:
        return []
    storey = upper[int(rng.integers(len(upper)))]
    rows = [row(windows(bay, storey, style)) for bay in bays]
    piers = [(here.right, there.left) for here, there in pairwise(rows)]
    radius = min(LARGEST_MEDALLION, 0.3 * min(right - left for left, right in piers))
    if storey.shutters or radius < SMALLEST_MEDALLION:  # no room
        return []
    y = storey.top + 0.3 * (storey.bottom - storey.top)
    places = [square((left + right) / 2, y, radius) for left, right in piers]
    return [Part("deco", place, "disc", rng.random()) for place in places]


def crown(
    wall: Box, bays: list[Bay], mansard: bool, gabled: bool, rng: np.random.Generator
) -> list[Part]:
    """Return what ends the wall: a mansard roof with dormers or a gable, then the cornice."""
    parts = []
    if mansard:
        parts.append(Part("facade", wall.strip(-ROOF_INSET, wall.top - ROOF, wall.top), "mansard"))
        parts += [part for bay in bays for part in dormer(bay.middle, wall.top, rng.random())]
    elif gabled:
        parts += gable((wall.left + wall.right) / 2, wall.top, rng)
    parts.append(Part("cornice", wall.strip(OVERHANG, wall.top, wall.top + CORNICE)))
    return parts
