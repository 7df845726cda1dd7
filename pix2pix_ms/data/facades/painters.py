"""How each kind of part looks in the photo: one painter for every class.

The idea: a painter fills the patch of the canvas behind a part from a few colours and profiles of
light. It knows neither the part's silhouette nor the shadow it casts: `rendering` sees to both.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pix2pix_ms.data.facades.geometry import Part
from pix2pix_ms.data.facades.materials import (
    AWNINGS,
    BLINDS,
    CURTAIN,
    DOORS,
    GLASS,
    IRON,
    LAMP,
    LIT,
    OCHRE,
    REFLECTION,
    SHADED,
    SHADOW,
    SLATE,
    TRIM,
    Floats,
    Look,
    illuminate,
    mix,
    pick,
    profile,
)

# Thicknesses in pixels of the coarsest canvas.
SLATES, SLATS = 5, 4  # height of one
BAR, SHOP_BAR = 1.4, 1.5  # between panes
LETTER, STRIPE, DENTIL = 3, 5, 4  # width of one
SLAB, RAIL, RAILING_STEP, RAILING_BAR = 6, 2, 5, 2  # of a balcony

# Heights as shares of a part, from its top.
TRANSOM = 0.3  # of a window's panes
FANLIGHT = (0.06, 0.2)
DOOR_PANELS = ((0.28, 0.58), (0.64, 0.92))
SIGN, AWNING, SHOP_PANE = 0.16, 0.34, 0.88  # where each of them ends
DENTILS = (0.68, 0.92)
CORNICE_LIGHT = (0, 0.3, 0.35, 0.65, 0.7, 1), (1.18, 1.1, 0.8, 1.0, 0.85, 0.62)
SHAFT_LIGHT = (0, 0.3, 1), (0.95, 1.15, 0.66)  # of a pillar, across

CURTAIN_TONE, LAMP_TONE = 0.45, 0.94  # windows of a higher tone have curtains, or a lamp


class Site(NamedTuple):
    """Where a painter works: the patch to fill, a part of the canvas, and whose part it is."""

    patch: Floats
    part: Part
    look: Look
    scale: float

    def thick(self, pixels: float) -> int:
        """Return a thickness, given in pixels of the coarsest canvas, in pixels of this one."""
        return max(round(pixels * self.scale), 1)


Painter = Callable[[Site], None]


def roof(site: Site) -> None:
    """Courses of slate on a steep roof that catches more sky towards its top."""
    height = len(site.patch)
    courses = 1 - 0.12 * (np.arange(height) / (SLATES * site.scale) % 1 > 0.7)
    site.patch[:] = profile(SLATE, np.linspace(1.12, 0.9, height) * courses)


def window(site: Site) -> None:
    """A light frame around dark panes that mirror the sky, set back into the wall."""
    patch, (height, width) = site.patch, site.patch.shape[:2]
    patch[:] = site.look.frame
    rim = max(round(0.075 * min(width, height)), 1)
    pane = patch[rim : height - rim, rim : width - rim]
    pane[:] = glass(pane.shape[0], pane.shape[1], site.part.tone)
    bar, upper = site.thick(BAR), int(TRANSOM * len(pane))
    pane[upper : upper + bar] = site.look.frame
    casements = 2 if width < 0.9 * height else 3
    for number in range(1, casements):
        start = number * pane.shape[1] // casements - bar // 2
        pane[:, start : start + bar] = site.look.frame * 0.97
    reveal = max(round(0.07 * height), 1)
    patch[:reveal] *= np.linspace(0.45, 0.85, reveal, dtype=np.float32)[:, None, None]
    patch[:, : max(rim // 2, 1)] *= 0.65


def glass(height: int, width: int, tone: float) -> Floats:
    """Return panes [height, width, 3]: slanting reflections, often curtains, at times a lamp."""
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    slant = np.clip(0.75 - y - 0.3 * x + 0.5 * (tone - 0.5), 0, 1)[..., None]
    panes = mix(GLASS, REFLECTION, 0.75 * slant)
    if tone > LAMP_TONE:
        return mix(panes, LAMP, 0.25 + 0.35 * y[..., None])
    if tone > CURTAIN_TONE:  # they hang at both sides
        hang = (np.abs(2 * x - 1) > 1.25 - 0.7 * tone) * (0.85 + 0.15 * np.sin(40 * x))
        panes = mix(panes, CURTAIN, 0.34 * hang[..., None])
    return panes


def door(site: Site) -> None:
    """Two dark panelled wings below a fanlight."""
    patch, (height, width) = site.patch, site.patch.shape[:2]
    patch[:] = pick(DOORS, site.part.tone)
    fanlight = slice(*(int(share * height) for share in FANLIGHT))
    patch[fanlight, width // 10 : -(width // 10) or None] = GLASS
    for left in (0.12, 0.56):
        for top, bottom in DOOR_PANELS:
            rows = slice(round(top * height), round(bottom * height))
            panel = patch[rows, round(left * width) : round((left + 0.32) * width)]
            panel *= 1.3
            panel[: max(len(panel) // 12, 1)] *= 0.6
    patch[:, width // 2 : width // 2 + site.thick(1)] *= 0.4  # the gap between the wings
    patch[: max(height // 14, 1)] *= 0.55
    patch[:, : max(width // 16, 1)] *= 0.6


def shop(site: Site) -> None:
    """A coloured sign, a striped awning, and a large pane between sign and coloured base."""
    patch, (height, width) = site.patch, site.patch.shape[:2]
    colour = np.array(pick(AWNINGS, site.part.tone), dtype=np.float32)
    patch[:] = colour
    sign, awning, base = (int(share * height) for share in (SIGN, AWNING, SHOP_PANE))
    shop_sign(patch[:sign], colour, site)
    edge = max(width // 30, 1)
    shop_pane(patch[sign:base, edge : width - edge], colour, site)
    stripes = np.arange(width) // site.thick(STRIPE) % 2 > 0
    cloth = np.where(stripes[None, :, None], TRIM, colour) * np.float32(1)
    patch[sign:awning] = cloth * np.linspace(1.1, 0.85, awning - sign)[:, None, None]
    patch[awning : awning + max(height // 12, 1)] *= SHADOW


def shop_sign(board: Floats, colour: Floats, site: Site) -> None:
    """Light strokes, as of letters, on a coloured board."""
    board[:] = profile(colour, np.linspace(1.15, 0.8, len(board)))
    height, width = board.shape[:2]
    letters = board[int(0.4 * height) : int(0.68 * height), int(0.25 * width) : int(0.75 * width)]
    letters[:, np.arange(letters.shape[1]) // site.thick(LETTER) % 3 > 0] = TRIM


def shop_pane(pane: Floats, colour: Floats, site: Site) -> None:
    """Three tall panes with a lit room behind, mirroring the sky in their upper part."""
    depth = np.linspace(0.7, 0, len(pane), dtype=np.float32)[:, None, None]
    pane[:] = mix(mix(GLASS, LAMP, 0.22), REFLECTION, 0.4 * depth)
    for number in (1, 2):
        middle = number * pane.shape[1] // 3
        pane[:, middle : middle + site.thick(SHOP_BAR)] = colour


def balcony(site: Site) -> None:
    """A slab with iron railings in front of what is behind, or a plain parapet if modern."""
    patch, (height, width) = site.patch, site.patch.shape[:2]
    slab = height - site.thick(SLAB)
    if site.look.modern:
        patch[:slab] = site.look.trim * 0.93
    else:
        bars = np.arange(width) % site.thick(RAILING_STEP) < site.thick(RAILING_BAR)
        patch[:slab] *= 0.72
        patch[:slab, bars] = IRON
    rail = site.thick(RAIL)
    patch[:rail] = IRON
    patch[slab - rail : slab] = IRON
    patch[slab:] = profile(site.look.trim, np.linspace(LIT, SHADED, height - slab))


def cornice(site: Site) -> None:
    """A lit upper fillet, a hollow, and a row of dentils in the shade of the lower edge."""
    patch, (height, width) = site.patch, site.patch.shape[:2]
    light = np.interp(np.linspace(0, 1, height), *CORNICE_LIGHT)
    patch[:] = profile(site.look.trim, light)
    if site.part.shape == "box" and height >= 8 * site.scale:
        dentils = np.arange(width) // site.thick(DENTIL) % 2 > 0
        patch[int(DENTILS[0] * height) : int(DENTILS[1] * height), dentils] *= 0.7


def sill(site: Site) -> None:
    """A slab that is bright on top and dark below."""
    site.patch[:] = profile(site.look.trim, np.linspace(1.2, 0.66, len(site.patch)))


def molding(site: Site) -> None:
    """Dressed stone, a little darker than other trim."""
    site.patch[:] = site.look.trim * 0.94


def pillar(site: Site) -> None:
    """A round shaft, lit from the left, between a base and a capital."""
    patch, (height, width) = site.patch, site.patch.shape[:2]
    across = np.interp(np.linspace(0, 1, width), *SHAFT_LIGHT)
    patch[:] = np.multiply(across[None, :, None], site.look.trim)
    ends = max(min(round(1.1 * width), height // 6), 1)
    for end in (patch[:ends], patch[-ends:]):
        end[:] = profile(site.look.trim, np.linspace(1.12, 0.78, ends))


def deco(site: Site) -> None:
    """Carved stone, somewhat ochre: petals around the middle of a framed field."""
    patch, (height, width) = site.patch, site.patch.shape[:2]
    patch[:] = mix(site.look.trim, OCHRE, 0.4)
    y = np.linspace(-1.25, 1.0, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :] * width / max(height, 1)
    radius = np.hypot(x, y)
    petals = np.sin(6 * np.arctan2(y, x)) * np.sin(3.5 * radius + 2 * site.part.tone)
    rosette = (radius < 0.8) * (0.16 * petals - 0.08 * (x + y))
    illuminate(patch, 0.97 + rosette)


def blind(site: Site) -> None:
    """Slats, each one lit above and dark below, ending in a bar."""
    slats = np.arange(len(site.patch)) / (SLATS * site.scale) % 1
    site.patch[:] = profile(pick(BLINDS, site.part.tone), 1.08 - 0.28 * slats)


PAINTERS: dict[str, Painter] = {
    "facade": roof,
    "window": window,
    "door": door,
    "cornice": cornice,
    "sill": sill,
    "balcony": balcony,
    "blind": blind,
    "deco": deco,
    "molding": molding,
    "pillar": pillar,
    "shop": shop,
}
