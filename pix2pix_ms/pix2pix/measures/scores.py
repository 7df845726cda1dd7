"""Held-out measures: L1, PSNR and SSIM of image pairs, and how alike two sets' colours are."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from skimage.color import rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pix2pix_ms.data.images import Pixels

# The Lab values that are counted: bins of width 1, centred on the integers from first to last.
# Centred, because the a and b of a grey are 0 give or take a rounding error.
LAB_BINS = {"L": (0, 100), "a": (-128, 127), "b": (-128, 127)}


class Scores(NamedTuple):
    """L1 of values in [-1, 1] (0 to 2), PSNR in dB, SSIM (-1 to 1)."""

    l1: float
    psnr: float
    ssim: float


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean L1 of images with values in [-1, 1]: 0 to 2."""
    return float(np.abs(one - other).mean(dtype=np.float64))


def score(generated: np.ndarray, target: np.ndarray) -> Scores:
    """Compare two images, float32 [C, H, W] in [-1, 1].

    SSIM is scikit-image's, with its 7x7 window, of values scaled to [0, 1]: it compares mean
    brightness as a ratio, which has no meaning where values may be negative.
    """
    bright, wanted = (generated + 1) / 2, (target + 1) / 2
    return Scores(
        distance(generated, target),
        float(peak_signal_noise_ratio(wanted, bright, data_range=1)),
        float(structural_similarity(wanted, bright, data_range=1, channel_axis=0)),
    )


def evaluate(triples: Iterable[Sequence[np.ndarray]]) -> Scores:
    """Return the mean scores over (input, generated, target), float32 [C, H, W] each."""
    return mean_scores(score(generated, target) for _, generated, target in triples)


def mean_scores(each: Iterable[Scores]) -> Scores:
    """Return the mean of every measure."""
    return Scores(*(float(np.mean(values)) for values in zip(*each, strict=True)))


def lab_counts(image: Pixels) -> dict[str, np.ndarray]:
    """Count the pixels of an image, uint8 [H, W, 3], by their L, a and b (CIE 1976, D65).

    The counts of several images add up to those of the set.
    """
    lab = np.rint(rgb2lab(image)).astype(np.int64)
    return {
        name: np.bincount(lab[..., axis].ravel() - first, minlength=last - first + 1)
        for axis, (name, (first, last)) in enumerate(LAB_BINS.items())
    }


def intersection(counts: np.ndarray, wanted: np.ndarray) -> float:
    """Return the share two histograms have in common: 0 to 1 (paper, section 4.2, figure 7)."""
    return float(np.minimum(counts / counts.sum(), wanted / wanted.sum()).sum())
