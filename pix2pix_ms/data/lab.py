"""Photos to lightness and colours and back: CIE Lab 1976, D65 (paper, section 4.2, colourisation).

The idea: L is the lightness of a pixel, a and b are its colour. A grey photo is L, so a network
only has to generate a and b to colour it. The scales are the reference's; sRGB lies within them.
"""

import warnings

import numpy as np
from skimage.color import lab2rgb, rgb2lab

from pix2pix_ms.data.images import Pixels, shown, to_pixels

HALF_LIGHT = 50.0  # L is 0..100
MOST_COLOUR = 110.0  # a and b of sRGB are within -108..99


def lab_of(photo: Pixels) -> np.ndarray:
    """Return L, a and b of a photo, uint8 [H, W, C], each scaled to [-1, 1]: float32 [3, H, W]."""
    light, a, b = np.moveaxis(rgb2lab(shown(photo)), -1, 0)
    scaled = [light / HALF_LIGHT - 1, a / MOST_COLOUR, b / MOST_COLOUR]
    return np.stack(scaled).astype(np.float32)


def colours_of(photo: Pixels) -> np.ndarray:
    """Return a and b of a photo, each scaled to [-1, 1]: uint8 [H, W, C] to float32 [2, H, W]."""
    return np.ascontiguousarray(lab_of(photo)[1:])


def lightness(photo: Pixels) -> Pixels:
    """Return the L of a photo as a grey image: uint8 [H, W, C] to uint8 [H, W, 1]."""
    return to_pixels(lab_of(photo)[:1])


def coloured(light: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Put L, float32 [1, H, W], and a and b, [2, H, W], together; all of them in [-1, 1].

    Returns:
        RGB, float32 [3, H, W] in [-1, 1]; colours that no screen shows are clipped.
    """
    lab = np.concatenate([(light + 1) * HALF_LIGHT, colours * MOST_COLOUR])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it clips
        rgb = lab2rgb(lab, channel_axis=0)
    return (2 * rgb - 1).astype(np.float32)
