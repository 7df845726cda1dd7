"""Held-out measures: L1, PSNR and SSIM of image pairs."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity


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
