"""A folder of images to a folder of MindRecords, one for each split."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pix2pix_ms.config.settings import Settings
from pix2pix_ms.data.builtin import Make, paired_facades
from pix2pix_ms.data.integrity import index_of, is_own
from pix2pix_ms.data.prepare.encoding import DEFAULT, Recipe, encode_image, encode_pair
from pix2pix_ms.data.prepare.folders import SPLITS, Found, PairFiles, refuse_lonely
from pix2pix_ms.data.prepare.splits import found_splits, lonely_in
from pix2pix_ms.data.prepare.survey import lines, refuse_unfit, survey
from pix2pix_ms.data.prepare.workers import Workers
from pix2pix_ms.data.records import DOMAIN, NAME, SUFFIX, inspect, names_of
from pix2pix_ms.data.writing import IMAGES, appearing_records, pairs_layout, write_rows
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.files import held

HELD_OUT = ("val", "test")  # in the order of preference
WHOLE = "images"  # what a folder without splits is called
PAIRS_AT_ONCE = 4  # a process goes on to the next before this one has taken the last


def quiet(_: str) -> None:
    """Drop a line of the report."""


def prepare(
    source: Path,
    out: Path,
    split: str = "train",
    val_ratio: float = 0.0,
    seed: int = 0,
    recipe: Recipe = DEFAULT,
    skip_unpaired: bool = False,
    report: Callable[[str], None] = quiet,
) -> list[Path]:
    """Write `out/SPLIT.mindrecord` for every split of a folder of images; return the files.

    All of them appear at the end together, or none.

    Args:
        split: what to call the pairs of a folder without splits.
        val_ratio: the share of train that becomes val, drawn with `seed`.
        recipe: what becomes of the images.
        skip_unpaired: leave files without a partner out, instead of refusing them.
        report: is given, line by line, what was found, before anything is written.

    Raises:
        Pix2PixError: if `split` is no file name, the folder holds older records that would be held
            out beside the new ones or belong to a training, a file is unfit or has no partner,
            there is no room, or another process prepares into it.
    """
    if not split or Path(split).name != split or split[0] == "." or not split.isprintable():
        raise Pix2PixError(f"split: expected a plain name such as train, found {split!r}")
    splits = found_splits(source, split, val_ratio, seed, recipe)
    with held(out):
        refuse_trainings(splits, out)
        refuse_older(splits, out)
        return write_splits(splits, out, recipe, skip_unpaired, report)


def refuse_trainings(splits: Iterable[str], out: Path) -> None:
    """Refuse to replace records that a training has made for itself, and could not do without."""
    for record in (out / f"{name}{SUFFIX}" for name in splits):
        if is_own(record):
            raise Pix2PixError(
                f"{record}: expected none, or that of an earlier preparation, found that of a "
                "training; choose another folder"
            )


def refuse_older(splits: Iterable[str], out: Path) -> None:
    """Refuse records of an earlier preparation that would be held out beside a new train."""
    older = sorted({name for name in SPLITS if (out / f"{name}{SUFFIX}").is_file()} - {*splits})
    if older and "train" in splits:
        raise Pix2PixError(
            f"{out}: expected no records of other pairs to hold out, found {', '.join(older)} "
            "of an earlier preparation; delete them, or choose another folder"
        )


def write_splits(
    splits: dict[str, Found],
    out: Path,
    recipe: Recipe = DEFAULT,
    skip_unpaired: bool = False,
    report: Callable[[str], None] = quiet,
    own: bool = False,
) -> list[Path]:
    """Look at all files, report, and write a record for each split; raises as `prepare` does.

    With `own` they are marked as a training's.
    """
    with Workers(sum(len(found.pairs) for found in splits.values())) as workers:
        seen = survey(splits, recipe, workers)
        for line in lines(splits, seen, recipe):
            report(line)
        if not skip_unpaired:
            refuse_lonely(lonely_in(splits))
        refuse_unfit(seen)
        refuse_empty(splits)
        encode, layout, unit = (
            (encode_image, IMAGES, "image")
            if recipe.unpaired
            else (encode_pair, pairs_layout("lab" if recipe.make == "lab" else "rgb"), "pair")
        )
        with appearing_records(out, own) as room:
            for name, found in splits.items():
                rows = workers.map(encode, found.pairs, recipe, PAIRS_AT_ONCE)
                shown = progress(rows, name, len(found.pairs), unit)
                write_rows(shown, room / f"{name}{SUFFIX}", layout)
    return [out / f"{name}{SUFFIX}" for name in splits]


def progress(rows: Iterable[Any], name: str, total: int, unit: str) -> Iterable[Any]:
    """Show a progress bar on a terminal, nothing elsewhere."""
    return tqdm(rows, desc=name, total=total, unit=unit, disable=None, leave=False)


def refuse_empty(splits: dict[str, Found]) -> None:
    """Refuse a split of which nothing is left."""
    for name, found in splits.items():
        if not found.pairs:
            raise Pix2PixError(
                f"{name}: expected at least one pair, found none whose names match in "
                f"{found.layout}; give both images of a pair the same name"
            )


def held_out_record(data: Path, made: Path, recipe: Recipe = DEFAULT) -> tuple[Path, str]:
    """Return the record of the pairs to measure on, and what they are.

    Args:
        data: a MindRecord file, a folder of records, or a folder of images as `prepare` takes it.
            Of splits val is taken, else test; a file, or images without splits, as they are.
        made: the folder to write a record of images to.
        recipe: what becomes of images.

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


def held_out_split(present: Iterable[str], where: Path) -> str:
    """Choose the split to measure on; never the one that was trained on."""
    names = list(present)
    for name in HELD_OUT:
        if name in names:
            return name
    raise Pix2PixError(
        f"{where}: expected a held-out split, {' or '.join(HELD_OUT)}, found only "
        f"{', '.join(names)}; prepare one with --val-ratio, or name the pairs to measure on"
    )


def run_records(
    data: Path | None,
    run: Path,
    config: Settings,
    resuming: bool,
    make: Make = paired_facades,
    recipe: Recipe = DEFAULT,
) -> Path:
    """Return the records a run trains on, made in the run folder where they do not exist yet.

    Args:
        data: a MindRecord file, a folder of records, a folder of images, or None.
        resuming: take the records the run already made; otherwise make them.
        make: writes records to a folder where there are no data.
        recipe: what becomes of a folder of images.

    Raises:
        Pix2PixError: as `prepare` and `find_pairs` do, or if there are records of other images.
    """
    if data is not None and (data.suffix == SUFFIX or (data / f"train{SUFFIX}").is_file()):
        return data
    records = run / "data"
    if resuming and (records / f"train{SUFFIX}").is_file():
        if data is not None:
            refuse_other_images(data, records, recipe)
        return records
    older = sorted(records.glob(f"*{SUFFIX}"))
    for record in older:
        if not is_own(record):
            raise Pix2PixError(
                f"{record}: expected no records but a training's own, found others; train on them "
                f"with --data {records}, or choose another folder with --out"
            )
    for record in older:  # of a start that never began
        record.unlink()
        index_of(record).unlink()
    if data is None:
        with appearing_records(records, own=True) as room:
            make(room, config)
        return records
    if "train" not in (splits := found_splits(data, recipe=recipe)):
        raise Pix2PixError(
            f"{data}: expected images to train on, found only {', '.join(splits)}; "
            "add a folder train"
        )
    with held(records):
        write_splits(splits, records, recipe, own=True)
    return records


def refuse_other_images(data: Path, records: Path, recipe: Recipe) -> None:
    """Refuse images that are, by number and names, not those a run has made its records of."""
    if not data.exists():
        raise Pix2PixError(f"{data}: expected records or images, found none; check the path")
    splits = found_splits(data, recipe=recipe)
    for split, known in known_images(records).items():
        images = [labelled(file) for file in splits[split].pairs] if split in splits else []
        if sorted(images) != sorted(known):
            new, gone = ({*images} - {*known}, {*known} - {*images})
            other = f" with {min(new)}" if new else f" without {min(gone)}" if gone else ""
            raise Pix2PixError(
                f"{data}: expected the {len(known)} images in {split} that the run began with, "
                f"which {records} holds, found {len(images)}{other}; leave --data out, or start "
                "another run with --out"
            )


def known_images(records: Path) -> dict[str, list[str]]:
    """Return what the images that a run trains on and holds out are called, with their domains.

    Records of others may give them no names.
    """
    found = {}
    for path in (records / f"{split}{SUFFIX}" for split in ("train", "val")):
        schema = inspect(path).schema if path.is_file() else {}
        if NAME in schema:
            found[path.stem] = names_of(path, *([DOMAIN] * (DOMAIN in schema)), NAME)
    return found


def labelled(file: PairFiles) -> str:
    """Return what an image or a pair will be called there."""
    return "/".join([file.domain, file.name] if file.domain else [file.name])
