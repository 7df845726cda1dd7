"""A folder of images to a folder of MindRecords, one for each split."""

from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from pix2pix_ms.config import Config
from pix2pix_ms.data.facades import SIZES
from pix2pix_ms.data.pairs import SPLITS, PairFiles, facade_pairs, find_pairs
from pix2pix_ms.data.records import SUFFIX
from pix2pix_ms.data.writing import write_record
from pix2pix_ms.device import Stream, random
from pix2pix_ms.errors import Pix2PixError

HELD_OUT = ("val", "test")  # in the order of preference
WHOLE = "images"  # what a folder without splits is called


def find_splits(
    source: Path, name: str = "train", val_ratio: float = 0.0
) -> dict[str, list[PairFiles]]:
    """Return the pairs of each split of a folder.

    Its subfolders train, val and test where it has any; else all its pairs are the split `name`.
    With `val_ratio`, that share of train becomes val, the same pairs every time.

    Raises:
        Pix2PixError: if there are no pairs, or val is both there and asked for.
    """
    if not 0 <= val_ratio < 1:
        raise Pix2PixError(f"val_ratio: expected a share from 0 to below 1, found {val_ratio}")
    present = [split for split in SPLITS if (source / split).is_dir()]
    splits = {split: find_pairs(source / split) for split in present}
    splits = splits or {name: find_pairs(source)}
    if val_ratio == 0:
        return splits
    if "val" in splits or "train" not in splits:
        raise Pix2PixError(
            f"{source}: expected a split train and none called val to take a share of it, found "
            f"{', '.join(splits)}; leave val_ratio out"
        )
    splits["train"], splits["val"] = divided(splits["train"], val_ratio)
    return splits


def divided(pairs: list[PairFiles], share: float) -> tuple[list[PairFiles], list[PairFiles]]:
    """Split a list in two at random, the second with about `share` of it and at least one."""
    held = max(1, round(len(pairs) * share))
    if held >= len(pairs):
        raise Pix2PixError(
            f"val_ratio: expected pairs left to train on, found {len(pairs)} in all; add images"
        )
    chosen = set(random(0, Stream.SPLIT).permutation(len(pairs))[-held:].tolist())
    rest = [pair for index, pair in enumerate(pairs) if index not in chosen]
    return rest, [pairs[index] for index in sorted(chosen)]


def prepare(source: Path, out: Path, split: str = "train", val_ratio: float = 0.0) -> list[Path]:
    """Write `out/SPLIT.mindrecord` for every split of a folder of images; return the files.

    Raises:
        Pix2PixError: if `split` is no file name, the folder holds older records that would be held
            out beside the new ones, or what reading the images raises.
    """
    if not split or Path(split).name != split:
        raise Pix2PixError(f"split: expected a plain name such as train, found {split!r}")
    splits = find_splits(source, split, val_ratio)
    older = sorted({name for name in SPLITS if (out / f"{name}{SUFFIX}").is_file()} - splits.keys())
    if older and "train" in splits:
        raise Pix2PixError(
            f"{out}: expected no records of other pairs to hold out, found {', '.join(older)} "
            "of an earlier preparation; delete them, or choose another folder"
        )
    written = []
    for name, files in splits.items():
        path = out / f"{name}{SUFFIX}"
        write_record((pair.read() for pair in progress(files, name)), path)
        written.append(path)
    return written


def progress(files: list[PairFiles], name: str) -> Iterable[PairFiles]:
    """Show a progress bar on a terminal, nothing elsewhere."""
    return tqdm(files, desc=name, unit="pair", disable=None, leave=False)


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
    splits = find_splits(data, WHOLE)
    name = WHOLE if WHOLE in splits else held_out_split(splits, data)
    path = made / f"{name}{SUFFIX}"
    write_record((pair.read() for pair in progress(splits[name], name)), path)
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
        if "train" not in (splits := find_splits(data)):
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
