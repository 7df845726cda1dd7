"""A folder of images to a folder of MindRecords, one for each split."""

from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from pix2pix_ms.data.integrity import index_of
from pix2pix_ms.data.prepare.encoding import encode_image, encode_pair
from pix2pix_ms.data.prepare.folders import SPLITS, Found, refuse_lonely
from pix2pix_ms.data.prepare.recipe import DEFAULT, Recipe
from pix2pix_ms.data.prepare.splits import found_splits
from pix2pix_ms.data.prepare.survey import lines, look, refuse_unfit
from pix2pix_ms.data.prepare.workers import each, workers
from pix2pix_ms.data.records import SUFFIX
from pix2pix_ms.data.writing import appearing_records, write_rows
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.files import check_new, held


def prepare(
    source: Path,
    out: Path,
    split: str = "train",
    val_ratio: float = 0.0,
    seed: int = 0,
    recipe: Recipe = DEFAULT,
    skip_unpaired: bool = False,
    report: Callable[[str], None] = lambda _: None,
    force: bool = False,
) -> list[Path]:
    """Write `out/SPLIT.mindrecord` for every split of a folder of images; return the files.

    All of them appear together at the end, or none.

    Args:
        split: the name of the only split of a folder without splits.
        val_ratio: the share of train that becomes val, drawn with `seed`.
        recipe: how images are converted.
        skip_unpaired: leave files without a partner out, instead of refusing them.
        report: called with each line of a report on the files, before anything is written.
        force: replace older records; a new train also removes older val and test, which may have
            the same images.

    Raises:
        Pix2PixError: if `split` is no file name, there are older records, a file is unfit or has no
            partner, the disk is full, or another process writes to the folder.
    """
    if not split or Path(split).name != split or split[0] == "." or not split.isprintable():
        raise Pix2PixError(f"split: expected a plain name such as train, found {split!r}")
    splits = found_splits(source, split, val_ratio, seed, recipe)
    with held(out):
        names = dict.fromkeys([*splits, *(SPLITS if "train" in splits else ())])
        older = [out / f"{name}{SUFFIX}" for name in names]
        check_new(*older, force=force)
        written = write_splits(splits, out, recipe, skip_unpaired, report)
        for record in {*older} - {*written}:
            record.unlink(missing_ok=True)
            index_of(record).unlink(missing_ok=True)
        return written


def write_splits(
    splits: dict[str, Found],
    out: Path,
    recipe: Recipe = DEFAULT,
    skip_unpaired: bool = False,
    report: Callable[[str], None] = lambda _: None,
    own: bool = False,
) -> list[Path]:
    """Check all files, report, and write a record for each split; raises as `prepare` does.

    Args:
        own: mark the records as made by a training.
    """
    every = [pair for found in splits.values() for pair in found.pairs]
    with workers(len(every)) as connections:
        seen = list(each(look, every, recipe, connections))
        for line in lines(splits, seen, recipe):
            report(line)
        if not skip_unpaired:
            refuse_lonely(splits.values())
        refuse_unfit(splits, seen)
        encode = encode_image if recipe.unpaired else encode_pair
        unit = "image" if recipe.unpaired else "pair"
        with appearing_records(out, own) as room:
            for name, found in splits.items():
                rows = each(encode, found.pairs, recipe, connections)
                bar = tqdm(rows, name, len(found.pairs), unit=unit, disable=None, leave=False)
                write_rows(bar, room / f"{name}{SUFFIX}")
    return [out / f"{name}{SUFFIX}" for name in splits]
