"""The records a run trains on: as given, or made in its folder from images or seeds."""

from pathlib import Path

from pix2pix_ms.config.settings import Settings
from pix2pix_ms.data.builtin import Make, paired_facades
from pix2pix_ms.data.integrity import index_of, is_own
from pix2pix_ms.data.prepare.prepare import write_splits
from pix2pix_ms.data.prepare.recipe import DEFAULT, Recipe
from pix2pix_ms.data.prepare.splits import found_splits
from pix2pix_ms.data.records import DOMAIN, NAME, SUFFIX, inspect, names_of
from pix2pix_ms.data.writing import appearing_records
from pix2pix_ms.errors import Pix2PixError


def run_records(
    data: Path | None,
    run: Path,
    config: Settings,
    resuming: bool,
    make: Make = paired_facades,
    recipe: Recipe = DEFAULT,
) -> Path:
    """Return the records a run trains on, made in the run folder if necessary.

    Args:
        data: a MindRecord file, a folder of records, a folder of images, or None.
        resuming: use the records in the run folder if there are any.
        make: writes records to a folder, if `data` is None.
        recipe: how a folder of images becomes records.

    Raises:
        Pix2PixError: as `prepare` and `find_pairs` do, or if the records are of other images.
    """
    if data is not None and (data.suffix == SUFFIX or (data / f"train{SUFFIX}").is_file()):
        return data
    records = run / "data"
    if resuming and (records / f"train{SUFFIX}").is_file():
        if data is not None:
            refuse_other_images(data, records, recipe)
        return records
    remove_unused(records)
    if data is None:
        with appearing_records(records, own=True) as room:
            make(room, config)
        return records
    if "train" not in (splits := found_splits(data, recipe=recipe)):
        raise Pix2PixError(
            f"{data}: expected images to train on, found only {', '.join(splits)}; "
            "add a folder train"
        )
    write_splits(splits, records, recipe, own=True)
    return records


def remove_unused(records: Path) -> None:
    """Remove the records of a run that made them but never began.

    Raises:
        Pix2PixError: if a record was not made by a run.
    """
    found = sorted(records.glob(f"*{SUFFIX}"))
    for record in found:
        if not is_own(record):
            raise Pix2PixError(
                f"{record}: expected only records that a training made, found others; train on "
                f"them with --data {records}, or choose another folder with --out"
            )
    for record in found:
        record.unlink()
        index_of(record).unlink()


def refuse_other_images(data: Path, records: Path, recipe: Recipe) -> None:
    """Raise Pix2PixError if images do not have the names of those in a run's records."""
    if not data.exists():
        raise Pix2PixError(f"{data}: expected records or images, found none; check the path")
    splits = found_splits(data, recipe=recipe)
    for split in ("train", "val"):
        record = records / f"{split}{SUFFIX}"
        schema = inspect(record).schema if record.is_file() else {}
        if NAME not in schema:  # a record made elsewhere may have no names
            continue
        known = names_of(record, *([DOMAIN] * (DOMAIN in schema)), NAME)
        pairs = splits[split].pairs if split in splits else []
        images = [f"{file.domain}/{file.name}" if file.domain else file.name for file in pairs]
        if sorted(images) != sorted(known):
            new, missing = ({*images} - {*known}, {*known} - {*images})
            other = f" with {min(new)}" if new else f" without {min(missing)}" if missing else ""
            raise Pix2PixError(
                f"{data}: expected the {len(known)} images in {split} that the run began with, "
                f"which {records} holds, found {len(images)}{other}; leave --data out, or start "
                "another run with --out"
            )
