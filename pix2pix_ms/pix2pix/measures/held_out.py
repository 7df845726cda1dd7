"""Which pairs a network is measured on: those held out, of records or of images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.prepare.prepare import write_splits
from pix2pix_ms.data.prepare.recipe import DEFAULT, Recipe
from pix2pix_ms.data.prepare.splits import found_splits
from pix2pix_ms.data.records import SUFFIX
from pix2pix_ms.errors import Pix2PixError

HELD_OUT = ("val", "test")  # in the order of preference
WHOLE = "images"  # the name of a folder without splits


def recipe_for(config: Config) -> Recipe:
    """Return how a folder of images is prepared for the networks of a config."""
    if config.colours == "lab":
        return Recipe(make="lab")
    channels = config.input_channels, config.target_channels
    return Recipe(channels=channels if config.direction == "AtoB" else channels[::-1])


def held_out_record(data: Path, made: Path, recipe: Recipe = DEFAULT) -> tuple[Path, str]:
    """Return the record of the pairs to measure on, and what they are.

    Args:
        data: a MindRecord file, a folder of records, or a folder of images as `prepare` takes it.
            Splits: val, else test; a file, or images without splits: all pairs.
        made: the folder to write a record of images to.
        recipe: how images are prepared.

    Raises:
        Pix2PixError: if only other splits are there, or what `find_splits` and reading raise.
    """
    if data.suffix == SUFFIX:
        return data, f"all pairs of {data}"
    records = {path.stem: path for path in sorted(data.glob(f"*{SUFFIX}"))}
    if records:
        path = records[held_out_split(records, data)]
        return path, f"the split {path.stem} of {data}"
    splits = found_splits(data, WHOLE, recipe=recipe)
    name = WHOLE if WHOLE in splits else held_out_split(splits, data)
    (path,) = write_splits({name: splits[name]}, made, recipe)
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
