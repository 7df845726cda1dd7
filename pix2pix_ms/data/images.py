"""Single images: read from files, converted to other channels and sizes, encoded.

Outside the pipeline an image is uint8 [H, W, C] in 0..255, everywhere: C is 1 (grey), 2 (grey and
alpha), 3 (RGB, the default) or 4 (RGBA).
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from pix2pix_ms.config.settings import Colours, Fit
from pix2pix_ms.data.tiff import TO_8_BITS, extra_bands, is_tiff, read_bands
from pix2pix_ms.errors import Pix2PixError

Pixels = npt.NDArray[np.uint8]
HALF = 127.5  # pixels 0..255 become -1..1: divide by this, subtract 1

SUFFIXES = (
    ".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".jp2",
)  # fmt: skip
# Pillow's names of these (MPO is JPEG there); for some of its other formats it starts programs.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "JPEG2000")
# Sound data of other kinds: what they are, and a line of Python that makes an image of them.
FOREIGN = {
    ".npy": ("a NumPy array", "skimage.io.imsave('x.png', numpy.load('x.npy'))"),
    ".dcm": (
        "a DICOM file",
        "skimage.io.imsave('x.png', skimage.util.img_as_ubyte(pydicom.dcmread('x').pixel_array))",
    ),
}  # fmt: skip
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # Pillow's name of so many channels
BANDS = "bands"  # in an image's info: all bands are data, none is alpha; its file
READABLE = ("1", "P", "PA", *MODES.values())  # modes that convert to those without loss
ORIENTATION = 0x0112  # the EXIF tag of the side that is up; 1: as it is
# Not Pillow's exif_transpose: that also rewrites the EXIF, which may be malformed.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip


class Header(NamedTuple):
    """What is known of an image before its pixels are decoded.

    `mode` is Pillow's, such as RGB or P; `transparent` an alpha channel, or a palette with a
    transparent colour; `turned` an EXIF orientation other than upright. Width and height are those
    of the upright image. `bands` counts those of a TIFF of which none is alpha.
    """

    width: int
    height: int
    mode: str
    transparent: bool
    turned: bool
    bands: int | None

    @property
    def size(self) -> str:
        return f"{self.width}x{self.height}"


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file that this project can read; its pixels are not decoded yet.

    The bands of a TIFF that are neither colours nor alpha are read as they are.

    Raises:
        Pix2PixError: if it is missing, empty, no image, damaged (also if that shows only when the
            block decodes it), animated, of 16 bits, of more than four bands, CMYK, or so large that
            Pillow warns of it.
    """
    try:
        if path.is_file() and path.suffix.lower() in FOREIGN:
            raise foreign(path)
        if path.exists() and not path.is_file() and not path.is_dir():
            raise Pix2PixError(f"{path}: expected an image, found a pipe or a device; remove it")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about malformed EXIF
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if is_tiff(path) and extra_bands(path):
                yield with_bands(path)
                return
            with Image.open(path, formats=FORMATS) as image:
                check(image, path)
                yield image
    except Pix2PixError:
        raise
    except Exception as error:
        raise Pix2PixError(f"{path}: expected {mismatch(error, path)}") from error


def mismatch(error: Exception, path: Path) -> str:
    """Return the end of the message about a file that does not open."""
    match error:
        case UnidentifiedImageError():
            found = "something else" if path.stat().st_size else "an empty file"
            return f"an image, found {found}; remove it or replace it"
        case FileNotFoundError():
            return "an image, found no such file"
        case IsADirectoryError():
            return "an image, found a folder"
        case PermissionError():
            return "an image, found no permission to read it; change its permissions"
        case Image.DecompressionBombError() | Image.DecompressionBombWarning():
            return "at most 89 million pixels, found more; shrink it"
        case _:  # Pillow's decoders raise all kinds of errors for a damaged file
            reason = " ".join(str(error).split()) or type(error).__name__
            return f"a whole image, found a damaged one ({reason}); fetch it again"


def foreign(path: Path) -> Pix2PixError:
    """Return the error of sound data that are no image."""
    kind, line = FOREIGN[path.suffix.lower()]
    return Pix2PixError(
        f"{path}: expected an image, found {kind}; save one of 8 bits, for example with {line}"
    )


def check(image: Image.Image, path: Path) -> None:
    """Refuse images that could only be read with a loss."""
    # A phone's MPO is a photo, followed by previews of itself.
    frames = getattr(image, "n_frames", 1) if image.format != "MPO" else 1
    if frames > 1:
        raise Pix2PixError(
            f"{path}: expected one picture, found an animation or {frames} pages; "
            "save the one you mean"
        )
    # Pillow silently reads 16-bit colour as 8-bit; only how it unpacks the file shows that. BGR;16
    # is a bitmap's pixel of three colours in 16 bits.
    unpacked = image.mode + str(getattr(image, "tile", "")).replace("BGR;16", "")
    if image.mode in ("I", "F") or ";16" in unpacked:
        raise Pix2PixError(
            f"{path}: expected 8 bits a channel, found 16 or more; scale it, for example with "
            f"{TO_8_BITS}"
        )
    if image.mode not in READABLE:
        raise Pix2PixError(
            f"{path}: expected grey, RGB or a palette, with or without alpha, found mode "
            f"{image.mode}; convert it to RGB"
        )


def with_bands(path: Path) -> Image.Image:
    """Return a TIFF with all its bands, none of which is alpha, whatever Pillow calls it."""
    pixels, up = read_bands(path)
    image = to_image(pixels)
    image.info[BANDS] = str(path)
    image.getexif()[ORIENTATION] = up
    return image


def check_bands(path: Path, bands: int, channels: int) -> None:
    """Refuse to make other channels of bands that are no colours."""
    if bands != channels:
        raise Pix2PixError(
            f"{path}: expected {channels} channels, found {bands} bands of which none is alpha; "
            "ask for as many channels, or save those to learn from"
        )


def has_alpha(image: Image.Image) -> bool:
    return image.has_transparency_data and BANDS not in image.info


def header(path: Path) -> Header:
    """Read the header of an image file; raises as `opened` does."""
    with opened(path) as image:
        transparent, turned = has_alpha(image), orientation(image) in UPRIGHT
        bands = len(image.getbands()) if BANDS in image.info else None
        return Header(*upright_size(image), image.mode, transparent, turned, bands)


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of an open image: 1 is upright, 5 to 8 swap width and height."""
    return int(image.getexif().get(ORIENTATION, 1))


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height of an open image once it is upright."""
    width, height = image.size
    return (height, width) if 5 <= orientation(image) <= 8 else (width, height)


def upright(image: Image.Image, channels: int) -> Image.Image:
    """Return an open image upright, in `channels` channels (see `in_channels`)."""
    turn = UPRIGHT.get(orientation(image))
    return in_channels(image if turn is None else image.transpose(turn), channels)


def in_channels(image: Image.Image, channels: int) -> Image.Image:
    """Convert an image to grey (1), grey and alpha (2), RGB (3) or RGBA (4).

    Alpha that is not wanted is put over white; alpha that is wanted and not there is opaque.
    """
    if BANDS in image.info:
        check_bands(Path(image.info[BANDS]), len(image.getbands()), channels)
    if has_alpha(image):
        image = image.convert("RGBA")
        if channels in (1, 3):
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image)
    elif image.mode in ("P", "PA"):
        image = image.convert("RGB")
    return image if image.mode == MODES[channels] else image.convert(MODES[channels])


def to_array(image: Image.Image) -> Pixels:
    """Convert Pillow's image to uint8 [H, W, C]."""
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def to_image(pixels: Pixels) -> Image.Image:
    """Convert uint8 [H, W, C] to Pillow's image."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def read_image(path: Path, channels: int = 3) -> Pixels:
    """Decode an image file to uint8 [H, W, channels], upright; raises as `opened` does."""
    with opened(path) as image:
        return to_array(upright(image, channels))


def encode(pixels: Pixels) -> bytes:
    """Encode uint8 [H, W, C] as PNG."""
    buffer = io.BytesIO()
    to_image(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def decode(data: bytes, channels: int) -> Pixels:
    """Decode the bytes of an image file to uint8 [H, W, channels]."""
    with Image.open(io.BytesIO(data)) as image:
        return to_array(in_channels(image, channels))


def channelled(pixels: Pixels, channels: int) -> Pixels:
    """Convert uint8 [H, W, C] to [H, W, channels], as `in_channels` does."""
    if pixels.shape[-1] == channels:
        return pixels
    return to_array(in_channels(to_image(pixels), channels))


def to_pixels(images: np.ndarray) -> Pixels:
    """Turn float [N, C, H, W] in [-1, 1] into uint8 [N, H, W, C]; without N likewise."""
    return np.round((np.moveaxis(images, -3, -1) + 1) * HALF).astype(np.uint8)


def from_pixels(images: np.ndarray) -> np.ndarray:
    """Turn uint8 [N, H, W, C] into float32 [N, C, H, W] in [-1, 1]; without N likewise."""
    return np.ascontiguousarray(np.moveaxis(images.astype(np.float32) / HALF - 1, -1, -3))


def shown(pixels: Pixels) -> Pixels:
    """Convert an image of any channels to RGB, uint8 [H, W, 3], alpha over white."""
    return channelled(pixels, 3)


def resized(pixels: Pixels, height: int, width: int) -> Pixels:
    """Resize uint8 [H, W, C] to [height, width, C], bicubic, without aliasing.

    Each channel by itself: a network sees the fourth beside the others, whether it is alpha or not.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    return to_array(by_band(to_image(pixels), (width, height)))


def by_band(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    """Resize an image bicubic, without multiplying by its last band, as Pillow does with alpha."""
    if image.mode not in ("LA", "RGBA"):
        return image.resize(size, Image.Resampling.BICUBIC, box)
    bands = [band.resize(size, Image.Resampling.BICUBIC, box) for band in image.split()]
    return Image.merge(image.mode, bands)


def window(
    proportions: tuple[int, ...], within: tuple[int, ...]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the largest centred window of these proportions: (height, width), (top, left)."""
    scale = min(mine / whole for mine, whole in zip(within, proportions, strict=True))
    tall, wide = (max(1, round(side * scale)) for side in proportions)
    tall, wide = min(tall, within[0]), min(wide, within[1])
    return (tall, wide), ((within[0] - tall) // 2, (within[1] - wide) // 2)


def fitted(pixels: Pixels, shape: tuple[int, int], fit: Fit) -> Pixels:
    """Bring uint8 [H, W, C] to `shape`, (height, width).

    "resize" changes the proportions, "pad" keeps them and mirrors the image beyond its edges,
    "crop" keeps them and cuts out the middle. "random-crop", which is cut later, only enlarges an
    image that is smaller.
    """
    size = pixels.shape[:2]
    if fit == "random-crop":
        scale = max(1.0, *(wanted / side for wanted, side in zip(shape, size, strict=True)))
        return resized(pixels, *(round(side * scale) for side in size))
    if fit == "pad":
        (tall, wide), (top, left) = window(size, shape)
        around = (top, shape[0] - tall - top), (left, shape[1] - wide - left), (0, 0)
        return np.pad(resized(pixels, tall, wide), around, "symmetric")
    if fit == "crop":
        (tall, wide), (top, left) = window(shape, size)
        pixels = pixels[top : top + tall, left : left + wide]
    return resized(pixels, *shape)


def still(pixels: Pixels, shape: tuple[int, int], fit: Fit) -> Pixels:
    """Bring uint8 [H, W, C] to `shape` without chance: `fitted`, of random crops the middle one."""
    pixels = fitted(pixels, shape, fit)
    top, left = ((side - wanted) // 2 for side, wanted in zip(pixels.shape[:2], shape, strict=True))
    return pixels[top : top + shape[0], left : left + shape[1]]


class Pair(NamedTuple):
    """Two images of one scene, uint8 [H, W, C] each, and their name."""

    a: Pixels
    b: Pixels
    name: str


class Row(NamedTuple):
    """A pair as a record stores it, a column for each field; the images are PNG or JPEG."""

    input_images: bytes
    target_images: bytes
    name: str
    colours: Colours


class ImageRow(NamedTuple):
    """An image of a domain as a record stores it, a column for each field."""

    image: bytes
    domain: str
    name: str
