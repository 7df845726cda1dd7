"""Scores of images whose scores are known."""

import numpy as np
import pytest

from pix2pix_ms.data.facades import facade
from pix2pix_ms.data.images import Pixels
from pix2pix_ms.pix2pix.measures.scores import LAB_BINS, evaluate, intersection, lab_counts, score
from pix2pix_ms.pix2pix.translate import to_network


def test_scores_of_known_images() -> None:
    rng = np.random.default_rng(0)
    image = rng.uniform(-1, 1, (3, 32, 32)).astype(np.float32)
    near = score(image, image * np.float32(0.999))
    assert near.l1 < 1e-3
    assert near.psnr > 60
    assert near.ssim == pytest.approx(1, abs=1e-4)
    darker = np.clip(image, -0.9, 0.9) + np.float32(0.1)
    assert score(np.zeros_like(image), np.full_like(image, 0.5)).l1 == pytest.approx(0.5)
    # A constant distance d in [-1, 1] is d/2 in [0, 1]: PSNR = -20 log10(d / 2).
    assert score(np.zeros_like(image), np.full_like(image, 0.2)).psnr == pytest.approx(20)
    assert 0 < score(darker, image).ssim < 1


def test_ssim_is_that_of_the_pictures_on_the_screen() -> None:
    from skimage.metrics import structural_similarity

    label_map, photo = facade(4, 64)
    found = score(to_network(label_map, (64, 64)), to_network(photo, (64, 64))).ssim
    expected = structural_similarity(label_map, photo, channel_axis=2, data_range=255)
    assert found == pytest.approx(expected, abs=1e-3)


def test_evaluate_means_over_pairs() -> None:
    zeros = np.zeros((3, 16, 16), np.float32)
    pairs = [(zeros, zeros, zeros + np.float32(value)) for value in (0.2, 0.4)]
    assert evaluate(pairs).l1 == pytest.approx(0.3)


def in_common(one: Pixels, other: Pixels) -> dict[str, float]:
    counts, wanted = lab_counts(one), lab_counts(other)
    return {name: intersection(counts[name], wanted[name]) for name in LAB_BINS}


def flat(*colour: int) -> Pixels:
    return np.full((8, 8, 3), colour, np.uint8)


def test_shares_of_colours_in_common() -> None:
    """Whatever the place and the number of pixels."""
    photo, red, blue = facade(2, 64).photo, flat(255, 0, 0), flat(0, 0, 255)
    for one, other, share in (
        (photo, photo[::-1, ::-1], 1.0),
        (red, blue, 0.0),
        (np.concatenate([red, blue]), red, 0.5),
    ):
        assert in_common(one, other) == {"L": share, "a": share, "b": share}


def test_greys_differ_in_lightness_only() -> None:
    """Each has a and b of zero give or take a rounding error, which must not divide them."""
    for level in (0, 1, 127, 254):
        found = in_common(flat(level, level, level), flat(255, 255, 255))
        assert found["a"] == found["b"] == 1.0
        assert found["L"] == (level == 254)  # L 99.7 and 100 share the last bin


def test_every_colour_has_its_bin() -> None:
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    every = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(len(levels), -1, 3)
    for name, counts in lab_counts(every).items():
        first, last = LAB_BINS[name]
        assert counts.sum() == len(levels) ** 3
        assert len(counts) == last - first + 1
