"""Every measure of generated images in one pass, each image measured as it comes.

Beside every number of the generated images is what the real target images score in the same way.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from pix2pix_ms.data.facades import classes_of
from pix2pix_ms.data.images import Pixels, shown, to_pixels
from pix2pix_ms.pix2pix.measures import quality
from pix2pix_ms.pix2pix.measures.colours import LAB_BINS, intersection, lab_counts
from pix2pix_ms.pix2pix.measures.quality import FEWEST
from pix2pix_ms.pix2pix.measures.scores import Scores, mean_scores, score
from pix2pix_ms.pix2pix.measures.segmentation import (
    CLASSES,
    SegmentationScores,
    confusion,
    segmentation_scores,
)

Target = Literal["labels", "photos", "other"]
Read = Callable[[Pixels], Pixels]  # a picture, uint8 [H, W, 3], to class indices, uint8 [H, W]
SIDES = ("generated", "target")


class Measure(NamedTuple):
    """A number of the generated images and the same of the target images.

    None where it is infinite, as is the PSNR of equal images.
    """

    generated: float | None
    target: float | None


class Tally:
    """What is counted while the images pass: input, generated and target, float32 [C, H, W] each.

    Args:
        target: what the targets are, which decides where the true labels are.
        labeller: the segmenter that reads photos; without it they are not read.
    """

    def __init__(self, target: Target, labeller: Read | None) -> None:
        self.labels_are_targets = target == "labels"
        self.read = classes_of if self.labels_are_targets else labeller
        self.scores: list[Scores] = []
        self.pictures: dict[str, list[Pixels]] = {side: [] for side in SIDES}
        self.lab = {side: {name: np.zeros(1, np.int64) for name in LAB_BINS} for side in SIDES}
        self.confusion = {side: np.zeros((CLASSES, CLASSES), np.int64) for side in SIDES}

    def add(self, x: np.ndarray, generated: np.ndarray, y: np.ndarray) -> None:
        """Count one pair and what was generated of it."""
        self.scores.append(score(generated, y))
        pictures = dict(zip(SIDES, (shown(to_pixels(generated)), shown(to_pixels(y))), strict=True))
        for side, picture in pictures.items():
            self.pictures[side].append(picture)
            for name, counts in lab_counts(picture).items():
                self.lab[side][name] = self.lab[side][name] + counts
        if self.read is not None:
            truth = classes_of(shown(to_pixels(y if self.labels_are_targets else x)))
            for side, picture in pictures.items():
                self.confusion[side] += confusion(truth, self.read(picture))

    def measures(self) -> dict[str, Any]:
        """Return every measure under its name in a `Report`."""
        l1, psnr, ssim = mean_scores(self.scores)
        kid, kid_spread = self.kid()
        return {
            "l1": Measure(l1, 0.0),
            "psnr": Measure(psnr if math.isfinite(psnr) else None, None),
            "ssim": Measure(ssim, 1.0),
            "kid": kid,
            "kid_spread": kid_spread,
            "weave": Measure(*(quality.weave(self.pictures[side]) for side in SIDES)),
            "histogram_intersection": self.histogram_intersection(),
            "segmentation": self.segmentation(),
        }

    def histogram_intersection(self) -> dict[str, Measure]:
        """Compare the colours of all images with those of all targets."""
        generated, target = (self.lab[side] for side in SIDES)
        return {name: Measure(intersection(generated[name], target[name]), 1.0) for name in target}

    def kid(self) -> tuple[Measure | None, Measure | None]:
        """Return the KID of the generated images and of real ones with real ones, and spreads."""
        generated, target = self.pictures.values()
        if len(target) < FEWEST or not quality.available():
            return None, None
        real = quality.features(target)
        found = quality.kid(quality.features(generated), real), quality.kid_of_halves(real)
        mean, spread = (Measure(*values) for values in zip(*found, strict=True))
        return mean, spread

    def segmentation(self) -> dict[str, Measure] | None:
        """Score how the images were read, or return None where they were not."""
        if self.read is None:
            return None
        both = zip(*(segmentation_scores(self.confusion[side]) for side in SIDES), strict=True)
        return {
            name: Measure(*pair)
            for name, pair in zip(SegmentationScores._fields, both, strict=True)
        }
