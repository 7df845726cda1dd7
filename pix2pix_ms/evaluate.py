"""Held-out measures: L1, PSNR and SSIM between generated and target images."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

Generate = Callable[[np.ndarray, int], np.ndarray]
RANGE = 2.0  # of values in [-1, 1]


class Scores(NamedTuple):
    """L1 of values in [-1, 1] (0 to 2), PSNR in dB, SSIM (-1 to 1)."""

    l1: float
    psnr: float
    ssim: float


def score(generated: np.ndarray, target: np.ndarray) -> Scores:
    """Compare two images, float32 [3, H, W] in [-1, 1]; SSIM with scikit-image's 7x7 window."""
    return Scores(
        float(np.abs(generated - target).mean(dtype=np.float64)),
        float(peak_signal_noise_ratio(target, generated, data_range=RANGE)),
        float(structural_similarity(target, generated, data_range=RANGE, channel_axis=0)),
    )


def evaluate(generate: Generate, pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> Scores:
    """Return the mean scores over pairs (x, y), float32 [1, 3, H, W] each.

    `generate(x, index)` is the generator; the index decides the dropout noise of that pair.
    """
    each = [score(generate(x, index)[0], y[0]) for index, (x, y) in enumerate(pairs)]
    return Scores(*(float(np.mean(values)) for values in zip(*each, strict=True)))
