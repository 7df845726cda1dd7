"""Pairs and images encoded as a record stores them, cut, converted and shrunk by the recipe.

The idea: a file whose pixels do not change is stored as it is. A lossy photo that does change is
encoded at its own quality, so that a record is about as large as its photos; all else becomes PNG.
"""

import io
from pathlib import Path
from typing import Any

from PIL import Image, JpegImagePlugin

from pix2pix_ms.data.images import (
    BANDS,
    MODES,
    UPRIGHT,
    ImageRow,
    Pixels,
    Row,
    by_band,
    encode,
    opened,
    orientation,
    to_array,
    upright,
    upright_size,
)
from pix2pix_ms.data.prepare.folders import PairFiles, check_halves
from pix2pix_ms.data.prepare.recipe import MAKERS, Recipe

FINE: dict[str, Any] = {"quality": 95, "subsampling": 0}  # without JPEG tables to copy


def encode_pair(files: PairFiles, recipe: Recipe) -> Row:
    """Read a pair and encode it as the recipe says."""
    channels_a, channels_b = recipe.stored
    if recipe.make is not None:
        a = encode(MAKERS[recipe.make](read_shrunk(files.a, recipe.shrink)))
        b = encode_file(files.a, channels_b, recipe.shrink)
    elif files.b is not None:
        a = encode_file(files.a, channels_a, recipe.shrink)
        b = encode_file(files.b, channels_b, recipe.shrink)
    else:
        a, b = encode_halves(files.a, recipe)
    return Row(a, b, files.name, "lab" if recipe.make == "lab" else "rgb")


def encode_image(files: PairFiles, recipe: Recipe) -> ImageRow:
    """Read an image of a domain and encode it as the recipe says; raises as `encode_pair` does."""
    image = encode_file(files.a, recipe.stored[0], recipe.shrink)
    return ImageRow(image, files.domain or "", files.name)


def encode_file(path: Path, channels: int, shrink: int | None) -> bytes:
    """Encode an image; if no pixel changes, return the bytes of the file."""
    with opened(path) as image:
        before = upright_size(image)
        size = target(*before, shrink)
        if size == before and fits_as_it_is(image, channels):
            image.load()  # only now it is known to be whole
            return path.read_bytes()
        how = jpeg_settings(image, path, size != before)
        draft(image, size)
        return packed(scaled(upright(image, channels), size), how)


def encode_halves(path: Path, recipe: Recipe) -> tuple[bytes, bytes]:
    """Encode the halves of a side-by-side image as A and B."""
    with opened(path) as image:
        width, height = upright_size(image)
        check_halves(path, width, height, recipe.halves)
        size = target(width // 2, height, recipe.shrink)
        how = jpeg_settings(image, path, size != (width // 2, height))
        draft(image, (2 * size[0], size[1]))
        whole = {channels: upright(image, channels) for channels in set(recipe.stored)}
        left, right = recipe.stored[::-1] if recipe.swap else recipe.stored
        first = packed(scaled(whole[left], size, side=0), how)
        second = packed(scaled(whole[right], size, side=1), how)
    return (second, first) if recipe.swap else (first, second)


def read_shrunk(path: Path, shrink: int | None) -> Pixels:
    """Decode an image to uint8 [H, W, 3], the shorter side at most `shrink`."""
    with opened(path) as image:
        size = target(*upright_size(image), shrink)
        draft(image, size)
        return to_array(scaled(upright(image, 3), size))


def target(width: int, height: int, shrink: int | None) -> tuple[int, int]:
    """Return width and height after shrinking."""
    shorter = min(width, height)
    if shrink is None or shorter <= shrink:
        return width, height
    return round(width * shrink / shorter), round(height * shrink / shorter)


def draft(image: Image.Image, size: tuple[int, int]) -> None:
    """Have a JPEG decoded at an eighth, quarter or half, if that is still as large as `size`.

    Only if its sides (and halves) divide: otherwise a margin would shift one image of a pair.
    """
    wide, high = size[::-1] if 5 <= orientation(image) <= 8 else size
    for scale in (8, 4, 2):
        width, height = (length // scale for length in image.size)
        if width >= wide and height >= high and not any(side % (2 * scale) for side in image.size):
            image.draft(None, (width, height))
            return


def fits_as_it_is(image: Image.Image, channels: int) -> bool:
    """Return whether every decoder reads the file upright and with the wanted channels."""
    return (
        image.format in ("JPEG", "PNG")
        and image.mode == MODES[channels]
        and image.has_transparency_data == (channels in (2, 4))
        and orientation(image) not in UPRIGHT  # which some decoders ignore
    )


def scaled(image: Image.Image, size: tuple[int, int], side: int | None = None) -> Image.Image:
    """Return an image, or its half (0 left, 1 right), resized to `size`."""
    width, height = image.size
    left, right = (0.0, width) if side is None else (side * width / 2, (side + 1) * width / 2)
    if (right - left, height) == size:
        return image.crop((int(left), 0, int(right), height))
    box = (left, 0, right, height)
    if BANDS in image.info:
        return by_band(image, size, box)
    return image.resize(size, Image.Resampling.BICUBIC, box)


def jpeg_settings(image: Image.Image, path: Path, resized: bool) -> dict[str, Any] | None:
    """Return settings to encode a lossy image again with little loss; None for a lossless one."""
    if isinstance(image, JpegImagePlugin.JpegImageFile) and not resized:  # or a phone's MPO
        light, *colours = image.quantization.values()
        # Colours that were stored at half the size are stored at full size now: halving again what
        # was interpolated costs 10 dB at the edges of label maps. Coarser steps make up for it: 1.5
        # keeps the file as small as it was.
        coarser = 1.0 if JpegImagePlugin.get_sampling(image) == 0 else 1.5
        scaled = [[min(255, round(step * coarser)) for step in table] for table in colours]
        return {"qtables": [light, *scaled], "subsampling": 0, "optimize": True}
    lossy = image.format in ("JPEG", "MPO", "AVIF")
    if image.format == "WEBP":
        lossy = b"VP8L" not in path.read_bytes()  # the chunk of lossless pixels
    return FINE if lossy else None


def packed(image: Image.Image, jpeg: dict[str, Any] | None) -> bytes:
    """Encode an image as JPEG with these settings, if any, else as PNG."""
    if jpeg is None or image.mode not in ("L", "RGB"):  # JPEG has no alpha
        return encode(to_array(image))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **jpeg)
    return buffer.getvalue()
