"""TIFFs beyond what Pillow reads as they are: bands that are no colours, numbers of other types.

Pillow leaves extra bands out or fills them with 255, and does not open others at all.
"""

from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image

from pix2pix_ms.errors import Pix2PixError

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MOST_BANDS = 4
ALPHA = (1, 2)  # what a TIFF calls an extra band of transparency, premultiplied or not
# A line of Python that any of the refused can be converted with.
TO_8_BITS = "skimage.io.imsave('x.png', skimage.util.img_as_ubyte(skimage.io.imread('x')))"
FOUR_BANDS = "tifffile.imwrite('y.tif', tifffile.imread('x.tif')[..., :4])"


def is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in MAGIC


def extra_bands(path: Path) -> bool:
    """Tell whether a TIFF has bands that are neither colours nor one of alpha.

    Raises:
        DecompressionBombError: if it has more pixels than Pillow reads.
        Pix2PixError: if it has more than four bands, or numbers that are not of 8 bits.
    """
    import tifffile  # takes a while to import

    try:
        with tifffile.TiffFile(path) as file:
            page: Any = file.pages[0]
            kind, bands, extra = page.dtype, page.samplesperpixel, page.extrasamples
            bits, width, height = page.bitspersample, page.imagewidth, page.imagelength
    except Exception:  # Pillow says what is wrong
        return False
    if kind is None or bits < 8:
        return False
    if kind != np.uint8:
        raise Pix2PixError(
            f"{path}: expected 8 bits a band, from 0 to 255, found a TIFF of {kind} in {bands} "
            f"band{'s' * (bands > 1)}; scale it, for example with {TO_8_BITS}"
        )
    if bands > MOST_BANDS:
        raise Pix2PixError(
            f"{path}: expected 1 to {MOST_BANDS} bands to learn from, found a TIFF of {bands}; "
            f"choose some, for example with {FOUR_BANDS}"
        )
    if width * height > (Image.MAX_IMAGE_PIXELS or width * height):
        raise Image.DecompressionBombError
    return len(extra) > 1 or (len(extra) == 1 and extra[0] not in ALPHA)


def read_bands(path: Path) -> tuple[np.ndarray, int]:
    """Return the bands of a TIFF as they are, uint8 [H, W, C], and its orientation as EXIF has it.

    Raises:
        Pix2PixError: if it has several pages, or is compressed in a way that needs another library.
    """
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            pages, page = len(file.pages), cast("Any", file.pages[0])
            pixels, orientation = page.asarray(), int(page.tags.valueof(274, 1))
            separate = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
    except Exception as error:  # of its decoders, or of those it does not have
        raise Pix2PixError(
            f"{path}: expected a whole TIFF, not compressed or by deflate, for its extra bands, "
            f"found a damaged or another one ({' '.join(str(error).split())}); save it again"
        ) from error
    if pages > 1:
        raise Pix2PixError(
            f"{path}: expected one picture, found {pages} pages; save the one you mean"
        )
    return (np.moveaxis(pixels, 0, -1) if separate else pixels), orientation
