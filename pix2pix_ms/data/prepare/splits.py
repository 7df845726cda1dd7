"""The splits of a folder: train, val and test."""

from itertools import chain
from pathlib import Path

from pix2pix_ms.data.prepare.folders import (
    SPLITS,
    Found,
    PairFiles,
    entries,
    find,
    in_domains,
    matched,
    refuse_lonely,
)
from pix2pix_ms.data.prepare.recipe import DEFAULT, Recipe
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.randomness import Stream, random


def find_splits(
    source: Path, name: str = "train", val_ratio: float = 0.0, seed: int = 0
) -> dict[str, list[PairFiles]]:
    """Return the pairs of each split of a folder; arguments and errors as in `found_splits`."""
    splits = found_splits(source, name, val_ratio, seed)
    refuse_lonely(splits.values())
    return {split: found.pairs for split, found in splits.items()}


def found_splits(
    source: Path,
    name: str = "train",
    val_ratio: float = 0.0,
    seed: int = 0,
    recipe: Recipe = DEFAULT,
) -> dict[str, Found]:
    """Return the contents of each split of a folder.

    The splits are its subfolders train, val and test, if it has any, or those of `sides_of`; else
    all its pairs are the split `name`. With `val_ratio`, that share of train, drawn with the seed,
    becomes val.

    Raises:
        Pix2PixError: if there are no pairs, or val is both there and asked for.
    """
    if not 0 <= val_ratio < 1:
        raise Pix2PixError(f"val_ratio: expected a share from 0 to below 1, found {val_ratio}")
    if seed < 0:
        raise Pix2PixError(f"seed: expected at least 0, found {seed}")
    splits = present_splits(source, recipe) or {name: find(source, recipe)}
    refuse_other_domains(splits, source)
    if val_ratio == 0:
        return splits
    if "val" in splits or "train" not in splits:
        raise Pix2PixError(
            f"{source}: expected a split train and none called val to take a share of it, found "
            f"{', '.join(splits)}; leave val_ratio out"
        )
    train = splits["train"]
    rest, val = divided(train.pairs, val_ratio, seed)
    return splits | {
        "train": train._replace(pairs=rest),
        "val": Found(f"drawn from train with seed {seed}", val, [], []),
    }


def present_splits(source: Path, recipe: Recipe) -> dict[str, Found]:
    """Return the contents of the subfolders that are splits."""
    images, others = entries(source)
    names = {path.name for path in others if path.is_dir()}
    splits = {}
    used = set()
    for split in SPLITS:
        present = [sides for sides in sides_of(split) if any((source / s).is_dir() for s in sides)]
        ways = [split] * (split in names) + [" and ".join(sides) for sides in present]
        if len(ways) > 1:
            raise Pix2PixError(
                f"{source}: expected {ways[0]} or {ways[1]}, found both; move one of them away"
            )
        if split in names:
            splits[split] = find(source / split, recipe)
        elif present and recipe.unpaired:
            splits[split] = in_domains(source, dict(zip(present[0], "AB", strict=True)))
        elif present and recipe.make is None:
            a, b = present[0]
            splits[split] = matched(source / a, source / b, recipe)
        else:
            continue
        used |= {place.split("/")[0] for place in (split, *chain(*present))}
    if splits:
        last = splits[split := list(splits)[-1]]
        beside = images + [path for path in others if path.name not in used]
        splits[split] = last._replace(ignored=last.ignored + beside)
    return splits


def sides_of(split: str) -> list[tuple[str, str]]:
    """Return the folders that A and B of a split may be: ours, pix2pixHD's, the reference's."""
    ends = (("A", "B"), ("_A", "_B"), ("_label", "_img"))
    return [(split + a, split + b) for a, b in ends] + [(f"A/{split}", f"B/{split}")]


def refuse_other_domains(splits: dict[str, Found], source: Path) -> None:
    """Refuse splits that differ in their domains; pairs have none."""
    (first, ours), *others = (
        (name, sorted({file.domain for file in found.pairs if file.domain}))
        for name, found in splits.items()
    )
    for name, theirs in others:
        if ours != theirs:
            raise Pix2PixError(
                f"{source}: expected the same domains in {name} as in {first}, "
                f"{', '.join(ours)}, found {', '.join(theirs)}; add or remove folders"
            )


def is_side_by_side(source: Path) -> bool:
    """Return whether there are images right in a folder or its splits, not in domains' folders."""
    places = [source, *(source / split for split in SPLITS)]
    return any(entries(place)[0] for place in places if place.is_dir())


def divided(
    files: list[PairFiles], share: float, seed: int
) -> tuple[list[PairFiles], list[PairFiles]]:
    """Draw about `share` of each domain, or of all pairs; return the rest and those drawn."""
    rest: list[PairFiles] = []
    drawn: list[PairFiles] = []
    for domain in dict.fromkeys(file.domain for file in files):
        members = [file for file in files if file.domain == domain]
        count = max(1, round(len(members) * share))
        if count >= len(members):
            raise Pix2PixError(
                f"val_ratio: expected some left to train on, found {len(members)} in all; "
                "add images"
            )
        chosen = set(random(seed, Stream.SPLIT).permutation(len(members))[-count:].tolist())
        for index, file in enumerate(members):
            (drawn if index in chosen else rest).append(file)
    return rest, drawn
