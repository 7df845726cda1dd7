"""A folder of images to a folder of MindRecords, one for each split."""

from collections.abc import Callable, Iterable
from pathlib import Path

from tqdm import tqdm

from pix2pix_ms.config import Colours, Config
from pix2pix_ms.data.encoding import Recipe, Row, encode_pair
from pix2pix_ms.data.facades import SIZES
from pix2pix_ms.data.pairs import (
    SPLITS,
    Found,
    PairFiles,
    entries,
    facade_pairs,
    find,
    matched,
    refuse_lonely,
)
from pix2pix_ms.data.records import SUFFIX
from pix2pix_ms.data.survey import lines, refuse_unfit, survey
from pix2pix_ms.data.workers import Workers
from pix2pix_ms.data.writing import appearing_records, write_record, write_rows
from pix2pix_ms.device import Stream, random
from pix2pix_ms.errors import Pix2PixError

HELD_OUT = ("val", "test")  # in the order of preference
WHOLE = "images"  # what a folder without splits is called
DEFAULT = Recipe()


def quiet(_: str) -> None:
    """Drop a line of the report."""


def find_splits(
    source: Path, name: str = "train", val_ratio: float = 0.0, seed: int = 0
) -> dict[str, list[PairFiles]]:
    """Return the pairs of each split of a folder, as `found_splits` has it.

    Raises:
        Pix2PixError: as that does, or if a file has no partner.
    """
    splits = found_splits(source, name, val_ratio, seed)
    refuse_lonely(lonely_in(splits))
    return {split: found.pairs for split, found in splits.items()}


def found_splits(
    source: Path,
    name: str = "train",
    val_ratio: float = 0.0,
    seed: int = 0,
    recipe: Recipe = DEFAULT,
) -> dict[str, Found]:
    """Return what each split of a folder holds.

    The splits are its subfolders train, val and test, or trainA and trainB and so on, where it
    has any; else all its pairs are the split `name`. With `val_ratio`, that share of train
    becomes val, the same pairs every time.

    Raises:
        Pix2PixError: if there are no pairs, or val is both there and asked for.
    """
    if not 0 <= val_ratio < 1:
        raise Pix2PixError(f"val_ratio: expected a share from 0 to below 1, found {val_ratio}")
    splits = present_splits(source, recipe)
    splits = splits or {name: find(source, photos=recipe.make is not None, swap=recipe.swap)}
    if val_ratio == 0:
        return splits
    if "val" in splits or "train" not in splits:
        raise Pix2PixError(
            f"{source}: expected a split train and none called val to take a share of it, found "
            f"{', '.join(splits)}; leave val_ratio out"
        )
    train = splits["train"]
    rest, held = divided(train.pairs, val_ratio, seed)
    return splits | {
        "train": train._replace(pairs=rest),
        "val": Found(f"drawn from train with seed {seed}", held, [], []),
    }


def present_splits(source: Path, recipe: Recipe) -> dict[str, Found]:
    """Return what the subfolders of a folder hold, split by split; nothing if it has no splits."""
    images, others = entries(source)
    names = {path.name for path in others if path.is_dir()}
    splits = {}
    for split in SPLITS:
        sides = (f"{split}A", f"{split}B")
        if split in names and names & set(sides):
            raise Pix2PixError(
                f"{source}: expected {split} or {' and '.join(sides)}, found both; "
                "move one of them away"
            )
        if split in names:
            photos = recipe.make is not None
            splits[split] = find(source / split, photos=photos, swap=recipe.swap)
        elif names & set(sides) and recipe.make is None:
            splits[split] = matched(source / sides[0], source / sides[1], recipe.swap)
    if splits:
        used = {*splits, *(f"{split}{side}" for split in splits for side in "AB")}
        last = splits[split := list(splits)[-1]]
        beside = images + [path for path in others if path.name not in used]
        splits[split] = last._replace(ignored=last.ignored + beside)
    return splits


def refuse_empty(splits: dict[str, Found]) -> None:
    """Refuse a split of which nothing is left."""
    for name, found in splits.items():
        if not found.pairs:
            raise Pix2PixError(
                f"{name}: expected at least one pair, found none whose names match in "
                f"{found.layout}; give both images of a pair the same name"
            )


def lonely_in(splits: dict[str, Found]) -> list[Path]:
    """Return the files without a partner of all splits."""
    return [path for found in splits.values() for path in found.lonely]


def divided(
    pairs: list[PairFiles], share: float, seed: int
) -> tuple[list[PairFiles], list[PairFiles]]:
    """Split a list in two at random, the second with about `share` of it and at least one."""
    held = max(1, round(len(pairs) * share))
    if held >= len(pairs):
        raise Pix2PixError(
            f"val_ratio: expected pairs left to train on, found {len(pairs)} in all; add images"
        )
    chosen = set(random(seed, Stream.SPLIT).permutation(len(pairs))[-held:].tolist())
    rest = [pair for index, pair in enumerate(pairs) if index not in chosen]
    return rest, [pairs[index] for index in sorted(chosen)]


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
            out beside the new ones, a file is unfit or has no partner, or there is no room.
    """
    if not split or Path(split).name != split:
        raise Pix2PixError(f"split: expected a plain name such as train, found {split!r}")
    splits = found_splits(source, split, val_ratio, seed, recipe)
    older = sorted({name for name in SPLITS if (out / f"{name}{SUFFIX}").is_file()} - splits.keys())
    if older and "train" in splits:
        raise Pix2PixError(
            f"{out}: expected no records of other pairs to hold out, found {', '.join(older)} "
            "of an earlier preparation; delete them, or choose another folder"
        )
    return write_splits(splits, out, recipe, skip_unpaired, report)


def write_splits(
    splits: dict[str, Found],
    out: Path,
    recipe: Recipe = DEFAULT,
    skip_unpaired: bool = False,
    report: Callable[[str], None] = quiet,
) -> list[Path]:
    """Look at all files, report, and write a record for each split; raises as `prepare` does."""
    with Workers(sum(len(found.pairs) for found in splits.values())) as workers:
        seen = survey(splits, recipe, workers)
        for line in lines(splits, seen, recipe):
            report(line)
        if not skip_unpaired:
            refuse_lonely(lonely_in(splits))
        refuse_unfit(seen)
        refuse_empty(splits)
        colours: Colours = "lab" if recipe.make == "lab" else "rgb"
        with appearing_records(out) as room:
            for name, found in splits.items():
                rows = workers.map(encode_pair, found.pairs, recipe)
                write_rows(
                    progress(rows, name, len(found.pairs)), room / f"{name}{SUFFIX}", colours
                )
    return [out / f"{name}{SUFFIX}" for name in splits]


def progress(rows: Iterable[Row], name: str, total: int) -> Iterable[Row]:
    """Show a progress bar on a terminal, nothing elsewhere."""
    return tqdm(rows, desc=name, total=total, unit="pair", disable=None, leave=False)


def held_out_record(data: Path, made: Path) -> tuple[Path, str]:
    """Return the record of the pairs to measure on, and what they are.

    Args:
        data: a MindRecord file, a folder of records, or a folder of images as `prepare` takes it.
            Of splits val is taken, else test; a file, or images without splits, as they are.
        made: the folder to write a record of images to.

    Raises:
        Pix2PixError: if only other splits are there, or what `find_splits` and reading raise.
    """
    if data.suffix == SUFFIX:
        return data, f"all pairs of {data}"
    records = {path.stem: path for path in sorted(data.glob(f"*{SUFFIX}"))}
    if records:
        path = records[held_out_split(records, data)]
        return path, f"the split {path.stem} of {data}"
    splits = found_splits(data, WHOLE)
    name = WHOLE if WHOLE in splits else held_out_split(splits, data)
    (path,) = write_splits({name: splits[name]}, made)
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


def run_records(data: Path | None, run: Path, config: Config, resuming: bool) -> Path:
    """Return the records a run trains on, made in the run folder where they do not exist yet.

    Args:
        data: a MindRecord file, a folder of records, a folder of images, or None for procedural
            facades, `config.facades` of them.
        resuming: take the records the run already made; otherwise make them anew.

    Raises:
        Pix2PixError: as `prepare` and `find_pairs` do.
    """
    if data is not None and (data.suffix == SUFFIX or (data / f"train{SUFFIX}").is_file()):
        return data
    records = run / "data"
    if resuming and (records / f"train{SUFFIX}").is_file():
        return records
    if data is not None:
        if "train" not in (splits := found_splits(data)):
            raise Pix2PixError(
                f"{data}: expected images to train on, found only {', '.join(splits)}; "
                "add a folder train"
            )
        prepare(data, records)
    else:
        size = next((size for size in SIZES if size >= max(config.shape)), None)
        if size is None:
            raise Pix2PixError(
                f"size: expected at most {SIZES[-1]} for procedural facades, found {config.size}; "
                "give data of your own"
            )
        pairs = facade_pairs(config.facades, size)
        bar = tqdm(pairs, "facades", config.facades, unit="pair", disable=None, leave=False)
        write_record(bar, records / f"train{SUFFIX}")
    return records
