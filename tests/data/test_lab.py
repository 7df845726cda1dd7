import numpy as np
import pytest
from skimage.color import rgb2lab

from pix2pix_ms.data.facades import facade
from pix2pix_ms.data.lab import coloured, colours_of, lab_of, lightness


def every_colour() -> np.ndarray:
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels), -1).reshape(len(levels), -1, 3)


def test_the_scales_are_the_references_and_hold_every_colour() -> None:
    photo = every_colour()
    lab = np.moveaxis(rgb2lab(photo), -1, 0)
    scaled = np.stack([lab[0] / 50 - 1, lab[1] / 110, lab[2] / 110])
    np.testing.assert_allclose(lab_of(photo), scaled, atol=1e-6)
    assert np.abs(scaled).max() <= 1 + 1e-6
    np.testing.assert_array_equal(colours_of(photo), lab_of(photo)[1:])


def test_there_and_back_no_level_changes() -> None:
    photo = every_colour()
    lab = lab_of(photo)
    back = (np.moveaxis(coloured(lab[:1], lab[1:]), 0, -1) + 1) * 127.5
    assert np.abs(back - photo).max() < 0.01


def test_lightness_is_the_grey_that_l_stands_for() -> None:
    photo = facade(3, 64).photo
    grey = lightness(photo)
    assert (grey.shape, grey.dtype) == ((64, 64, 1), np.uint8)
    np.testing.assert_allclose(grey[..., 0] / 2.55, rgb2lab(photo)[..., 0], atol=0.21)
    without = coloured(lab_of(photo)[:1], np.zeros((2, 64, 64), np.float32))
    assert np.ptp(without, axis=0).max() < 1e-3  # red, green and blue are equal: grey


def test_impossible_colours_are_clipped_without_a_warning() -> None:
    loud = coloured(np.zeros((1, 2, 2), np.float32), np.full((2, 2, 2), -1, np.float32))
    assert loud.min() >= -1
    assert loud.max() <= 1


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_pictures_of_other_channels_have_a_lightness_too(channels: int) -> None:
    assert lightness(np.full((4, 4, channels), 255, np.uint8)).tolist() == [[[255]] * 4] * 4
