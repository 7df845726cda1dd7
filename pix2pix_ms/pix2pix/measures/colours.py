"""Colours: intersection of Lab histograms (paper, section 4.2)."""

import numpy as np
from skimage.color import rgb2lab

from pix2pix_ms.data.images import Pixels

# The Lab values that are counted: bins of width 1, centred on the integers from first to last.
# Centred, because the a and b of a grey are 0 give or take a rounding error.
LAB_BINS = {"L": (0, 100), "a": (-128, 127), "b": (-128, 127)}


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
