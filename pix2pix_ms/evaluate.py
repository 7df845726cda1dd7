"""Held-out measures: L1, PSNR and SSIM between generated and target images."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

Generate = Callable[[np.ndarray, int], np.ndarray]


class Scores(NamedTuple):
    """L1 of values in [-1, 1] (0 to 2), PSNR in dB, SSIM (-1 to 1)."""

    l1: float
    psnr: float
    ssim: float


def score(generated: np.ndarray, target: np.ndarray) -> Scores:
    """Compare two images, float32 [3, H, W] in [-1, 1].

    SSIM is scikit-image's, with its 7x7 window, of values scaled to [0, 1]: it compares mean
    brightness as a ratio, which has no meaning where values may be negative.
    """
    bright, wanted = (generated + 1) / 2, (target + 1) / 2
    return Scores(
        float(np.abs(generated - target).mean(dtype=np.float64)),
        float(peak_signal_noise_ratio(wanted, bright, data_range=1)),
        float(structural_similarity(wanted, bright, data_range=1, channel_axis=0)),
    )


def evaluate(generate: Generate, pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> Scores:
    """Return the mean scores over pairs (x, y), float32 [1, 3, H, W] each.

    `generate(x, index)` is the generator; the index decides the dropout noise of that pair.
    """
    each = [score(generate(x, index)[0], y[0]) for index, (x, y) in enumerate(pairs)]
    return Scores(*(float(np.mean(values)) for values in zip(*each, strict=True)))
