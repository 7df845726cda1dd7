"""How well an image shows what its label map asks for, in the manner of the paper's FCN-score.

The idea (paper, section 4.1): if a generated photo is realistic, a classifier trained on real
photos recognises the objects in it. What it recognises is compared with the label map, pixel by
pixel; real photos, read by the same classifier, show how far the scores can go.
"""

from typing import NamedTuple

import numpy as np

from pix2pix_ms.data.facades import PALETTE
from pix2pix_ms.data.images import Pixels

CLASSES = len(PALETTE)


class SegmentationScores(NamedTuple):
    """Shares between 0 and 1; the last two are means over the classes the true labels have."""

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
