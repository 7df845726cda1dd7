"""Measures a checkpoint on held-out pairs, of records or of images, and saves what it generates."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.config.settings import Direction
from pix2pix_ms.data.images import Pair, to_image, to_pixels
from pix2pix_ms.data.pair_batches import (
    NETWORK_COLUMNS,
    Subset,
    label_maps,
    training_data,
    whole,
)
from pix2pix_ms.data.prepare.prepare import write_splits
from pix2pix_ms.data.prepare.recipe import DEFAULT, Recipe
from pix2pix_ms.data.prepare.splits import found_splits
from pix2pix_ms.data.records import SUFFIX, Record, open_record, read_record
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.files import check_new
from pix2pix_ms.pix2pix.measures.report import Report, Target, measures_of
from pix2pix_ms.pix2pix.measures.segmenter import load_segmenter
from pix2pix_ms.pix2pix.translate import Mode, Translator, Triple, triples
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.run import Run

HELD_OUT = ("val", "test")  # the first of them that is there
WHOLE = "images"  # the name of a folder without splits
FOLDERS = ("input", "generated", "target")


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
        segmenter: a segmenter's checkpoint; unless given, as `segmenter_for` returns it.
        target: what the target images are; unless given, judged by the first pair's colours.
        images: a new folder for PNG files, `input/`, `generated/` and `target/`.
        direction: which of CycleGAN's two generators; unless given, that of its config.
        force: write to a folder that is not empty, and replace images of the same names.

    Raises:
        Pix2PixError: if something cannot be read, or the images folder is not empty.
    """
    generator, config = checkpoints.load_generator(checkpoint, direction)
    translator = Translator(generator, config, mode)
    with new_folder(images, force) as writing, tempfile.TemporaryDirectory() as made:
        path, description = held_out_record(data, Path(made), recipe_for(config))
        if chose(path, checkpoint, config):
            description += ", which chose this checkpoint, so that the scores flatter it"
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


def chose(record: Path, checkpoint: Path, config: Config) -> bool:
    """Tell whether a run has kept its best checkpoint by a pair of this record."""
    run = Run(checkpoint.absolute().parent.parent)
    if checkpoint.absolute() != run.best or not run.data_file.is_file():
        return False
    try:
        held_out = training_data(Path(run.data()["train"]), config.seed).held_out
        pairs = enumerate(read_record(held_out.record.path))
        known = {pixels_of(pair) for number, pair in pairs if number in held_out.indices}
    except Pix2PixError:  # they are gone or damaged
        return False
    return any(pixels_of(pair) in known for pair in read_record(record))


def pixels_of(pair: Pair) -> bytes:
    """Return what identifies a pair, whatever record it is in and by whatever name."""
    return hashlib.sha256(pair.a.tobytes() + pair.b.tobytes()).digest()


def recipe_for(config: Config) -> Recipe:
    """Return how a folder of images is prepared for the networks of a config."""
    if config.colours == "lab":
        return Recipe(make="lab")
    channels = config.input_channels, config.target_channels
    return Recipe(channels=channels if config.direction == "AtoB" else channels[::-1])


def held_out_record(data: Path, made: Path, recipe: Recipe = DEFAULT) -> tuple[Path, str]:
    """Return the record of the pairs to measure on, and a description of it.

    Args:
        data: a MindRecord file, a folder of records, or a folder of images as `prepare` takes it.
            Splits: val, else test; a file, or images without splits: all pairs.
        made: the folder to write a record of images to.
        recipe: how images are prepared.

    Raises:
        Pix2PixError: if there are only other splits, or what `find_splits` and reading raise.
    """
    if data.suffix == SUFFIX:
        return data, f"all pairs of {data}"
    records = {path.stem: path for path in sorted(data.glob(f"*{SUFFIX}"))}
    if records:
        path = records[held_out_split(records, data)]
        return path, f"the split {path.stem} of {data}"
    splits = found_splits(data, WHOLE, recipe=recipe)
    name = WHOLE if WHOLE in splits else held_out_split(splits, data)
    (path,) = write_splits({name: splits[name]}, made, recipe, own=True)
    return path, f"all pairs of {data}" if name == WHOLE else f"the split {name} of {data}"


def held_out_split(present: Mapping[str, Any], where: Path) -> str:
    """Choose the split to measure on; never the one that was trained on."""
    for name in HELD_OUT:
        if name in present:
            return name
    raise Pix2PixError(
        f"{where}: expected a held-out split, {' or '.join(HELD_OUT)}, found only "
        f"{', '.join(present)}; prepare one with --val-ratio, or name the pairs to measure on"
    )


def target_of(pairs: Subset, direction: Direction) -> Target:
    """Return what the targets are, judged by the colours of the first pair."""
    labels = dict(zip(NETWORK_COLUMNS[direction], label_maps(pairs), strict=True))
    return "labels" if labels["y"] else "photos" if labels["x"] else "other"


def segmenter_for(named: Path | None, target: Target, seen: Target) -> Path | None:
    """Return the segmenter to label photos with: as named, or the one that ships.

    The one that ships only if `seen` agrees: the colours, too, show photos and label maps.

    Raises:
        Pix2PixError: if one is named but there are no photos, or no label maps to compare with.
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
            shutil.move(written, folder / written.name)  # also if that is another disk


def file_names(record: Record) -> list[str]:
    """Return the pairs' names.

    Raises:
        Pix2PixError: if two are equal, or one does not fit a file.
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
