"""The label map: the classes of CMP Facade, their colours, and the way between the two.

The idea: a class is an index into `PALETTE`; parts are drawn as indices, in flat areas without
blending, and a picture in the palette's colours is read back as indices.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from pix2pix_ms.data.facades.geometry import Part, silhouette

Pixels = npt.NDArray[np.uint8]

PALETTE: dict[str, tuple[int, int, int]] = {
    "background": (0, 0, 222),
    "facade": (0, 48, 255),
    "window": (0, 128, 255),
    "door": (0, 207, 255),
    "cornice": (32, 255, 224),
    "sill": (112, 255, 142),
    "balcony": (192, 255, 63),
    "blind": (255, 240, 0),
    "deco": (255, 159, 0),
    "molding": (255, 80, 0),
    "pillar": (255, 0, 0),
    "shop": (174, 0, 0),
}
"""The classes of CMP Facade in order of their index, each with its nominal RGB colour."""

COLOURS = np.array(list(PALETTE.values()), dtype=np.uint8)

# A distance in RGB: of a photo's pixels half lie 117 or more from any colour (CMP's and procedural
# ones alike), of a label map's, as JPEG of 128 pixels a side or more, within 36, mostly within 5.
NEAR = 64.0


def classes(parts: Iterable[Part], size: int) -> Pixels:
    """Return the class index of every pixel, uint8 [size, size], of parts in painting order."""
    index = {name: np.uint8(number) for number, name in enumerate(PALETTE)}
    picture = np.full((size, size), index["background"])
    for part in parts:
        patch = picture[part.box.pixels(size)]
        np.copyto(patch, index[part.kind], where=silhouette(part.shape, *patch.shape))
    return picture


def classes_of(label_map: Pixels) -> Pixels:
    """Return the class index of every pixel of a label map, by its nearest palette colour.

    Compression noise is tolerated: the colours are far apart compared with it.

    Args:
        label_map: uint8 [height, width, 3], RGB in 0..255.

    Returns:
        uint8 [height, width], index into `PALETTE` in its order.

    Raises:
        ValueError: if the array is not of this shape.
    """
    if label_map.ndim != 3 or label_map.shape[2] != 3:
        raise ValueError(f"label_map: expected shape [height, width, 3], found {label_map.shape}")
    pixels, colours = label_map.astype(np.float32), COLOURS.astype(np.float32)
    # |p - c|^2 = |p|^2 - 2 p.c + |c|^2, and |p|^2 does not decide which c is nearest.
    distances = (colours**2).sum(axis=1) - 2 * pixels @ colours.T
    nearest: Pixels = distances.argmin(axis=2).astype(np.uint8)
    return nearest


def is_label_map(image: Pixels) -> bool:
    """Tell a label map from a photo: half its pixels or more lie near a palette colour.

    Args:
        image: uint8 [height, width, 3], RGB in 0..255.

    Raises:
        ValueError: if the array is not of this shape.
    """
    nearest = COLOURS[classes_of(image)].astype(np.float32)
    distance = np.linalg.norm(image.astype(np.float32) - nearest, axis=2)
    return float(np.median(distance)) < NEAR
