"""How near generated images are to their targets: L1, PSNR, SSIM, colours, segmentation."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from skimage.color import rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pix2pix_ms.data.facades import PALETTE
from pix2pix_ms.data.images import Pixels

CLASSES = len(PALETTE)
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
    """Return the intersection of two histograms, 0 to 1 (paper, section 4.2, figure 7)."""
    return float(np.minimum(counts / counts.sum(), wanted / wanted.sum()).sum())


class SegmentationScores(NamedTuple):
    """Fractions of 1; the last two are means over the classes that the true labels have.

    In the manner of the paper's FCN-score (section 4.1): a classifier trained on real photos should
    recognise the objects of the label map in a generated one.
    """

    pixel_accuracy: float
    class_accuracy: float
    class_iou: float


def confusion(truth: Pixels, predicted: Pixels) -> np.ndarray:
    """Count pixels by true class (row) and predicted class (column): int64 [12, 12].

    Both are class indices, integers of one shape below 12.
    """
    pairs = CLASSES * truth.astype(np.int64) + predicted
    return np.bincount(pairs.ravel(), minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def segmentation_scores(counts: np.ndarray) -> SegmentationScores:
    """Return the scores of a confusion matrix, which may be the sum over many images.

    Raises:
        ValueError: if it counts no pixel.
    """
    if counts.sum() == 0:
        raise ValueError("counts: expected pixels, found none")
    right, true, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    present = true > 0
    recalled = right[present] / true[present]
    shared = right[present] / (true + predicted - right)[present]
    return SegmentationScores(
        float(right.sum() / counts.sum()), float(recalled.mean()), float(shared.mean())
    )
