"""Every measure of generated images, and beside each the same of the real target images."""

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

import numpy as np

from pix2pix_ms.data.facades import classes_of
from pix2pix_ms.data.images import Pixels, shown, to_pixels
from pix2pix_ms.pix2pix.measures import quality
from pix2pix_ms.pix2pix.measures.colours import LAB_BINS, intersection, lab_counts
from pix2pix_ms.pix2pix.measures.quality import FEWEST
from pix2pix_ms.pix2pix.measures.scores import Scores, mean_scores, score
from pix2pix_ms.pix2pix.measures.segmentation import (
    SegmentationScores,
    confusion,
    segmentation_scores,
)
from pix2pix_ms.pix2pix.translate import Triple

Target = Literal["labels", "photos", "other"]
Read = Callable[[Pixels], Pixels]  # a picture, uint8 [H, W, 3], to class indices, uint8 [H, W]


class Measure(NamedTuple):
    """A number of the generated images and the same of the target images.

    None where it is infinite, as is the PSNR of equal images.
    """

    generated: float | None
    target: float | None


def measures_of(
    triples: Iterable[Triple], target: Target, segmenter: Read | None
) -> dict[str, Any]:
    """Return every measure of (input, generated, target), under its name in a `Report`.

    Args:
        target: what the target images are, which decides where the true labels are.
        segmenter: labels photos; without one they have no segmentation scores.
    """
    read = classes_of if target == "labels" else segmenter
    scores: list[Scores] = []
    truths: list[Pixels] = []
    pictures: tuple[list[Pixels], list[Pixels]] = [], []  # generated, target
    for x, generated, y in triples:
        scores.append(score(generated, y))
        for side, image in zip(pictures, (generated, y), strict=True):
            side.append(shown(to_pixels(image)))
        if read is not None:
            truths.append(classes_of(shown(to_pixels(y if target == "labels" else x))))
    l1, psnr, ssim = mean_scores(scores)
    kid, kid_spread = kids(*pictures)
    return {
        "l1": Measure(l1, 0.0),
        "psnr": Measure(psnr if math.isfinite(psnr) else None, None),
        "ssim": Measure(ssim, 1.0),
        "kid": kid,
        "kid_spread": kid_spread,
        "weave": Measure(*map(quality.weave, pictures)),
        "histogram_intersection": colours(*pictures),
        "segmentation": read and segmentation(truths, pictures, read),
    }


def colours(generated: list[Pixels], target: list[Pixels]) -> dict[str, Measure]:
    """Compare the colours of all generated images with those of all targets."""
    found = {}
    counts = [[lab_counts(picture) for picture in side] for side in (generated, target)]
    for name in LAB_BINS:
        ours, theirs = (np.sum([each[name] for each in side], axis=0) for side in counts)
        found[name] = Measure(intersection(ours, theirs), 1.0)
    return found


def kids(
    generated: list[Pixels], target: list[Pixels]
) -> tuple[Measure, Measure] | tuple[None, None]:
    """Return KID and its spread: of generated images with real ones, and of real with real."""
    if len(target) < FEWEST or not quality.available():
        return None, None
    real = quality.features(target)
    both = quality.kid(quality.features(generated), real), quality.kid_of_halves(real)
    return Measure(*(kid.mean for kid in both)), Measure(*(kid.spread for kid in both))


def segmentation(
    truths: list[Pixels], pictures: Iterable[list[Pixels]], read: Read
) -> dict[str, Measure]:
    """Score how the pictures are labelled."""
    counts = (np.sum([*map(confusion, truths, map(read, side))], axis=0) for side in pictures)
    both = map(segmentation_scores, counts)
    return {n: Measure(*pair) for n, *pair in zip(SegmentationScores._fields, *both, strict=True)}
