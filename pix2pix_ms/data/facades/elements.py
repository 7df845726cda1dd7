"""The parts of a facade one by one: window, door, shop, balcony, ornaments, dormer, gable.

The idea: each function turns an opening, a cell of the grid or a place on the wall into one
element, as a list of parts in painting order. How often and where elements occur is decided in
`building`.
"""

import numpy as np

from pix2pix_ms.data.facades.geometry import Box, Part, Shape, square
from pix2pix_ms.data.facades.layout import Bay, Storey, Style

Shares = tuple[float, float, float, float]

# Thicknesses and reaches, as shares of the picture's side.
SILL, SILL_REACH = 0.014, 0.012
SLAB, SLAB_REACH = 0.012, 0.018  # the floor of a balcony
DORMER = 0.026  # half the width
GABLE = 0.12  # height of a gable
OCULUS, OCULUS_RING = 0.023, 0.031  # radii of the round window in a gable and of its ring
DOOR = 0.06  # half the width of a door, unless its bay is narrow

# Where a part lies, as shares of the box it belongs to: left, top, right, bottom.
SURROUND: Shares = (-0.16, -0.07, 1.16, 1.0)  # of a window, as all up to the apron
HEAD: Shares = (-0.24, -0.15, 1.24, -0.06)
GABLED_HEAD: Shares = (-0.24, -0.24, 1.24, -0.06)
SHUTTERS: tuple[Shares, Shares] = ((-0.4, 0.0, 0.0, 1.0), (1.0, 0.0, 1.4, 1.0))
APRON: Shares = (0.1, 1.09, 0.9, 1.21)
JAMBS: Shares = (-0.12, -0.06, 1.12, 1.0)  # of a door, as the next two
COLUMNS: tuple[Shares, Shares] = ((-0.24, -0.04, -0.02, 1.0), (1.02, -0.04, 1.24, 1.0))
ENTABLATURE: Shares = (-0.32, -0.13, 1.32, -0.04)
DORMER_FRAME: Shares = (-0.25, -0.05, 1.25, 1.16)  # of its window, as the next one
DORMER_GABLE: Shares = (-0.4, -0.3, 1.4, -0.03)

RAILING = 0.3  # height of a balcony, as a share of the window behind
WINDOW_MIDDLE = 0.54  # where the middle of a window is, as a share of the storey's height
PAIRED, MULLION = 0.7, 0.05  # width of a paired window to a single one; half the gap, per bay


def windows(bay: Bay, storey: Storey, style: Style) -> list[Box]:
    """Return the window of a bay in a storey, or both if the bay is paired."""
    cell = storey.cell(bay)
    share, height, slenderness = style.window
    top = cell.top + (WINDOW_MIDDLE - height / 2) * cell.height
    bottom = top + height * cell.height
    breadth = (PAIRED if bay.paired else 1.0) * share * cell.width
    half = min(breadth, slenderness * (bottom - top)) / 2
    step = half + MULLION * cell.width if bay.paired else 0.0
    centres = (bay.middle - step, bay.middle + step) if bay.paired else (bay.middle,)
    return [Box(x - half, top, x + half, bottom) for x in centres]


def window(box: Box, storey: Storey, style: Style, rng: np.random.Generator) -> list[Part]:
    """Return a window with its surround, blind or shutters, head and apron."""
    shape: Shape = "arch" if storey.arched else "box"
    blind, drop, *tones = rng.random(5)
    parts = [Part("window", box, shape, tones[0])]
    if storey.surround:
        parts.insert(0, Part("molding", box.sub(*SURROUND), shape))
    if storey.shutters:
        parts += [Part("blind", box.sub(*wing), "box", tones[1]) for wing in SHUTTERS]
    elif blind < style.blind:
        let_down = box.sub(0.0, 0.0, 1.0, 0.3 + 0.6 * drop)
        parts.append(Part("blind", let_down, shape, tones[1]))
    if storey.head:
        head = GABLED_HEAD if storey.head == "triangle" else HEAD
        parts.append(Part("cornice", box.sub(*head), storey.head))
    if storey.apron:
        parts.append(Part("deco", box.sub(*APRON), "box", tones[2]))
    return parts


def row(openings: list[Box]) -> Box:
    """Return the box around openings of one storey, given from left to right."""
    return openings[0]._replace(right=openings[-1].right)


def sill(opening: Box) -> Part:
    """Return the sill under one window or a pair."""
    return Part("sill", opening.strip(SILL_REACH, opening.bottom, opening.bottom + SILL))


def balcony(opening: Box) -> Part:
    """Return the balcony in front of the foot of one opening or of a row of them."""
    top = opening.bottom - RAILING * opening.height
    return Part("balcony", opening.strip(SLAB_REACH, top, opening.bottom + SLAB))


def door(cell: Box, style: Style, rng: np.random.Generator) -> list[Part]:
    """Return the entrance: a door, at times between columns and below a small cornice."""
    half = min(0.3, DOOR / cell.width)
    leaf = cell.sub(0.5 - half, 0.24, 0.5 + half, 1.0)
    grand = rng.random() < max(style.pillar, style.deco)
    arched = not grand and rng.random() < style.arch
    shape: Shape = "arch" if arched else "box"
    parts = [Part("molding", leaf.sub(*JAMBS), shape), Part("door", leaf, shape, rng.random())]
    if grand:
        parts += [Part("pillar", leaf.sub(*column)) for column in COLUMNS]
        parts.append(Part("cornice", leaf.sub(*ENTABLATURE)))
    return parts


def gable(middle: float, eaves: float, rng: np.random.Generator) -> list[Part]:
    """Return a gable above the axis of the house, with a round window in a stone ring."""
    reach = rng.uniform(0.14, 0.2)
    shape: Shape = "triangle" if rng.random() < 0.5 else "bow"
    front = Box(middle - reach, eaves - GABLE, middle + reach, eaves)
    height = eaves - 0.4 * GABLE
    return [
        Part("deco", front, shape, rng.random()),
        Part("molding", square(middle, height, OCULUS_RING), "disc"),
        Part("window", square(middle, height, OCULUS), "disc", rng.random()),
    ]


def dormer(middle: float, eaves: float, tone: float) -> list[Part]:
    """Return a roof window with its frame and small gable."""
    light = Box(middle - DORMER, eaves - 0.085, middle + DORMER, eaves - 0.012)
    return [
        Part("molding", light.sub(*DORMER_FRAME)),
        Part("cornice", light.sub(*DORMER_GABLE), "triangle"),
        Part("window", light, "box", tone),
    ]
