"""What a building is made of: its colours, and the weathered masonry of its wall.

The idea: a building draws its colours once (`Look`), and its wall is made as a picture of its
own: a plain colour, stained by weather, with the stones and joints of a bond worked in.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from pix2pix_ms.data.facades.building import Building

Floats = npt.NDArray[np.float32]
Colour = tuple[float, float, float] | Floats

LIT, SHADED = 1.15, 0.7  # edges that face the light and edges that turn away from it
SHADOW = 0.5  # light left where a cast shadow is deepest

WALLS: dict[str, tuple[Colour, ...]] = {
    "haussmann": ((0.80, 0.75, 0.65), (0.76, 0.72, 0.65), (0.82, 0.76, 0.63)),
    "brick": ((0.66, 0.42, 0.33), (0.68, 0.46, 0.35), (0.64, 0.45, 0.37)),
    "plaster": ((0.80, 0.68, 0.45), (0.66, 0.68, 0.55), (0.79, 0.61, 0.50), (0.72, 0.69, 0.63)),
    "modern": ((0.77, 0.75, 0.71), (0.70, 0.68, 0.64), (0.78, 0.73, 0.63)),
    "nouveau": ((0.80, 0.73, 0.54), (0.62, 0.68, 0.60), (0.80, 0.67, 0.55)),
}
WHITE: Colour = (1, 1, 1)
TRIM: Colour = (0.86, 0.82, 0.74)
FRAMES: tuple[Colour, ...] = ((0.88, 0.87, 0.83), (0.83, 0.80, 0.72), (0.80, 0.82, 0.80))
SLATE: Colour = (0.36, 0.39, 0.43)
IRON: Colour = (0.15, 0.16, 0.17)
GLASS, REFLECTION = (0.11, 0.14, 0.17), (0.46, 0.54, 0.61)
CURTAIN: Colour = (0.78, 0.75, 0.68)
LAMP: Colour = (0.95, 0.75, 0.42)
OCHRE: Colour = (0.72, 0.58, 0.36)
DOORS: tuple[Colour, ...] = ((0.29, 0.18, 0.11), (0.22, 0.24, 0.18), (0.33, 0.20, 0.12))
AWNINGS: tuple[Colour, ...] = ((0.48, 0.16, 0.14), (0.20, 0.32, 0.25), (0.54, 0.27, 0.14))
BLINDS: tuple[Colour, ...] = ((0.60, 0.58, 0.46), (0.52, 0.55, 0.45), (0.62, 0.55, 0.41))


class Bond(NamedTuple):
    """How masonry is laid: height and length of a stone, its spread of tone, light of a joint."""

    course: float
    length: float
    spread: float
    joint: float


BONDS = {
    "brick": Bond(1 / 90, 1 / 36, spread=0.08, joint=0.2),
    "haussmann": Bond(1 / 32, 1 / 13, spread=0.045, joint=-0.1),
}
SOCLE = Bond(1 / 26, 1 / 10, spread=0.04, joint=-0.22)
SOCLE_TRIM = 0.35  # how far the blocks of the ground floor take the colour of the trim
JOINT = 0.0021  # joints are equally thick both ways
SPLASH = 0.12  # how far up the wall dirt reaches from the street


class Look(NamedTuple):
    """The colours of one building, and its wall, float32 [side, side, 3], ready to be seen."""

    wall: Floats
    trim: Floats
    frame: Floats
    modern: bool


def choose_look(building: Building, side: int, rng: np.random.Generator) -> Look:
    """Draw the colours of a building and make its wall."""
    family = WALLS[building.style.name]
    plain = mix(family[rng.integers(len(family))], WHITE, rng.uniform(0.0, 0.15))
    plain *= rng.uniform(0.98, 1.02, 3).astype(np.float32)
    frame = rng.choice(np.array(FRAMES)).astype(np.float32)
    trim = mix(TRIM, plain, rng.uniform(0.1, 0.35))
    wall = masonry(building, side, plain, trim, rng)
    return Look(wall, trim, frame, building.style.name == "modern")


def masonry(
    building: Building, side: int, plain: Floats, trim: Floats, rng: np.random.Generator
) -> Floats:
    """Return a stained wall [side, side, 3], with the joints that its style shows."""
    wall = np.empty((side, side, 3), dtype=np.float32)
    dye(wall, plain, stains(building, side, rng))
    if building.style.name in BONDS:
        lay(wall, BONDS[building.style.name], rng)
    if building.style.name != "modern":  # older houses stand on a ground floor of larger blocks
        socle = wall[int(building.ground_floor * side) :]
        socle *= mix(WHITE, trim / plain, SOCLE_TRIM)
        lay(socle, SOCLE, rng)
    return wall


def stains(building: Building, side: int, rng: np.random.Generator) -> Floats:
    """Return the brightness of a weathered wall: patches, streaks, grain, and dirt at the foot."""
    patches = 0.035 * field(5, 5, side, rng) + 0.025 * field(24, 24, side, rng)
    streaks = 0.02 * field(4, 70, side, rng)
    grain = 0.03 * field(200, 200, side, rng)
    height = np.linspace(0, 1, side, dtype=np.float32)[:, None]
    foot = np.clip((height - building.wall.bottom + SPLASH) / SPLASH, 0, 1) ** 2
    daylight = 1.06 - 0.14 * height - 0.12 * foot
    return np.asarray((1 + patches + streaks + grain) * daylight, dtype=np.float32)


def field(rows: int, columns: int, side: int, rng: np.random.Generator) -> Floats:
    """Return smooth noise [side, side] of unit strength, from a coarse random grid."""
    grid = rng.standard_normal((rows, columns)).astype(np.float32)
    smooth = Image.fromarray(grid).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(smooth)


def lay(wall: Floats, bond: Bond, rng: np.random.Generator) -> None:
    """Work the stones and joints of a bond into a stretch of wall [height, side, 3], in place."""
    height, side = wall.shape[:2]
    position = ((np.arange(side) + 0.5) / side).astype(np.float32)
    course = (position[:height] / bond.course).astype(int)
    number = np.arange(course[-1] + 1)[:, None]
    along = position / bond.length + 0.5 * (number % 2)  # every other course is shifted
    tones = rng.normal(1, bond.spread, (len(number), int(along.max()) + 1))
    upright = along % 1 * bond.length < JOINT
    courses = np.where(upright, 1 + bond.joint, tones[number, along.astype(int)])
    light = courses.astype(np.float32)[course]
    light[position[:height] % bond.course < JOINT] = 1 + bond.joint
    illuminate(wall, light)


def dye(place: Floats, colour: Colour, light: Floats) -> None:
    """Fill a place [height, width, 3] with a colour under a light [height, width]."""
    for channel, value in enumerate(colour):  # several times as fast as all channels at once
        np.multiply(light, np.float32(value), out=place[..., channel])


def illuminate(place: Floats, light: Floats) -> None:
    """Put a place [height, width, 3] under a light [height, width], in place."""
    for channel in range(3):  # as in `dye`
        place[..., channel] *= light


def mix(one: Colour, other: Colour, share: float | Floats) -> Floats:
    """Return `one` blended with a `share` (0..1) of `other`."""
    first, second = np.asarray(one, dtype=np.float32), np.asarray(other, dtype=np.float32)
    return np.asarray(first + (second - first) * share, dtype=np.float32)


def profile(colour: Colour, light: npt.NDArray[np.float64]) -> Floats:
    """Return a column [height, 1, 3] of a colour under a light that changes with the height."""
    return np.asarray(np.multiply(light[:, None, None], colour), dtype=np.float32)


def pick(colours: tuple[Colour, ...], tone: float) -> Colour:
    """Return the colour that a tone in 0..1 stands for."""
    return colours[min(int(tone * len(colours)), len(colours) - 1)]
