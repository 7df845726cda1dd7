import base64
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from pix2pix_ms.data.images import MODES, ORIENTATION, decode, header, read_image, resized
from pix2pix_ms.data.prepare.encoding import encode_pair
from pix2pix_ms.data.prepare.folders import PairFiles
from pix2pix_ms.data.prepare.recipe import Recipe
from tests.runs import refused

RNG = np.random.default_rng(8)


def picture(mode: str, width: int = 12, height: int = 8) -> Image.Image:
    pixels = RNG.integers(0, 256, (height, width, 4), dtype=np.uint8)
    return Image.fromarray(pixels, "RGBA").convert("RGB" if mode == "P" else mode).convert(mode)


def over_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA"))


@pytest.mark.parametrize("channels", MODES)
@pytest.mark.parametrize("kind", ["1", "L", "LA", "P", "P transparent", "RGB", "RGBA"])
def test_channels_are_converted_as_pillow_does(kind: str, channels: int, tmp_path: Path) -> None:
    image = picture(kind.split(maxsplit=1)[0])
    options = {"transparency": 3} if "transparent" in kind else {}
    image.save(path := tmp_path / "x.png", **options)
    with Image.open(path) as stored:
        whole = stored.convert("RGBA")
    if image.mode in ("1", "L", "RGB"):
        expected = image.convert(MODES[channels])
    else:  # by way of all four channels
        expected = (whole if channels in (2, 4) else over_white(whole)).convert(MODES[channels])
    pixels = read_image(path, channels)
    assert pixels.shape == (8, 12, channels)
    np.testing.assert_array_equal(pixels, np.asarray(expected).reshape(pixels.shape))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_photos_are_turned_as_exif_says(suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    for orientation in range(1, 9):
        exif[ORIENTATION] = orientation
        picture("RGB").save(path := tmp_path / f"x.{suffix}", exif=exif)
        with Image.open(path) as stored:
            expected = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
        np.testing.assert_array_equal(read_image(path), expected)
        head = header(path)
        assert (head.height, head.width) == expected.shape[:2]
        assert head.turned == (orientation != 1)


def test_the_photo_of_a_phone_is_read_and_its_previews_are_not(tmp_path: Path) -> None:
    image = picture("RGB", 64, 32)
    image.save(tmp_path / "x.jpg", "MPO", save_all=True, append_images=[image.resize((16, 8))])
    with Image.open(tmp_path / "x.jpg") as stored:
        assert stored.format == "MPO"
    assert read_image(tmp_path / "x.jpg").shape == (32, 64, 3)


def cut_off(path: Path) -> None:
    picture("RGB", 90, 90).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


# 4x2 pixels of 16-bit RGB, which Pillow reads but does not write.
COLOUR16 = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAQAAAACEAIAAACgWjZ3AAAADElEQVR4nGNgIBUAAAAyAAFBPJwWAAAAAElFTkSuQmCC"
)


def animation(path: Path) -> None:
    frames = [picture("RGB") for _ in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def deep(path: Path) -> None:
    Image.fromarray(np.arange(96, dtype=np.uint16).reshape(8, 12) * 600).save(path)


def banded(bands: int) -> Callable[[Path], object]:
    """Write a TIFF with so many bands, those beyond the colours not said to be alpha."""

    def write(path: Path) -> None:
        pixels = RNG.integers(0, 256, (8, 12, bands), np.uint8)
        colours, kind = (1, "minisblack") if bands == 2 else (3, "rgb")
        extra = ["unspecified"] * (bands - colours)
        tifffile.imwrite(path, pixels, photometric=kind, extrasamples=extra)

    return write


def signed(path: Path) -> None:
    tifffile.imwrite(path, np.arange(-48, 48, dtype=np.int8).reshape(8, 12))


def floating(path: Path) -> None:
    tifffile.imwrite(path, RNG.random((8, 12, 3)).astype(np.float32), photometric="rgb")


UNFIT: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.png": (Path.touch, "expected an image, found an empty file"),
    "text.jpg": (lambda path: path.write_text("hello"), "found something else"),
    "cut.jpg": (cut_off, "damaged"),
    "cut.png": (cut_off, "damaged"),
    "grey16.png": (deep, "expected 8 bits a channel"),
    "colour16.png": (lambda path: path.write_bytes(COLOUR16), "expected 8 bits a channel"),
    "grey16.tif": (deep, "expected 8 bits a band, from 0 to 255, found a TIFF of uint16"),
    "two.tif": (banded(2), "expected 3 channels, found 2 bands of which none is alpha"),
    "infrared.tif": (banded(4), "expected 3 channels, found 4 bands of which none is alpha"),
    "five.tif": (banded(5), "expected 1 to 4 bands to learn from, found a TIFF of 5; choose"),
    "eight.tif": (banded(8), "expected 1 to 4 bands to learn from, found a TIFF of 8; choose"),
    "signed.tif": (signed, "found a TIFF of int8 in 1 band; scale it"),
    "float.tif": (floating, "found a TIFF of float32 in 3 bands; scale it"),
    "cmyk.jpg": (lambda path: picture("RGB").convert("CMYK").save(path), "found mode CMYK"),
    "moving.gif": (animation, "found an animation or 3 pages"),
    "moving.webp": (animation, "found an animation or 3 pages"),
    "moving.png": (animation, "found an animation or 3 pages"),
    "huge.png": (
        lambda path: Image.new("1", (10_000, 10_000)).save(path),
        "expected at most 89 million pixels, found more",
    ),
}


@pytest.mark.parametrize("name", UNFIT)
def test_unusable_images_are_refused(name: str, tmp_path: Path) -> None:
    make, words = UNFIT[name]
    make(tmp_path / name)
    with refused(f"{name}: .*{words}"):
        read_image(tmp_path / name)


def test_a_file_that_is_missing_or_may_not_be_read_is_named(tmp_path: Path) -> None:
    """Not even by root, who is somebody else for as long."""
    with refused(r"x\.png: expected an image, found no such file"):
        read_image(path := tmp_path / "x.png")
    picture("RGB").save(path)
    path.chmod(0)
    user = os.geteuid()
    try:
        os.seteuid(user or 65534)
        with refused(r"x\.png: .* no permission"):
            read_image(path)
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("bands", [2, 4])
@pytest.mark.parametrize("how", ["contig", "separate"])
def test_bands_of_a_tiff_are_read_and_resized_as_they_are(
    bands: int, how: str, tmp_path: Path
) -> None:
    """No band is alpha: none is multiplied into another, also where one is 0."""
    pixels = np.zeros((16, 12, bands), np.uint8)
    pixels[..., 0] = np.arange(16)[:, None] * 16
    pixels[..., -1] = 255 * (np.arange(12) % 4 == 0)
    colours, kind = (1, "minisblack") if bands == 2 else (3, "rgb")
    extra = ["unspecified"] * (bands - colours)
    stored = pixels if how == "contig" else np.moveaxis(pixels, -1, 0)
    tifffile.imwrite(
        tmp_path / "x.tif", stored, photometric=kind, extrasamples=extra, planarconfig=how
    )
    np.testing.assert_array_equal(read_image(tmp_path / "x.tif", bands), pixels)
    files = PairFiles("x", tmp_path / "x.tif", tmp_path / "x.tif")
    for shrink in (None, 6):
        row = encode_pair(files, Recipe(channels=(bands, bands), shrink=shrink))
        found = decode(row.input_images, bands)
        alone = [resized(pixels[..., [band]], *found.shape[:2]) for band in range(bands)]
        np.testing.assert_array_equal(found, np.concatenate(alone, axis=-1))
        np.testing.assert_array_equal(found, resized(pixels, *found.shape[:2]))
