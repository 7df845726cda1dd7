"""The paper's comparisons on real facades: `python -m benchmarks.comparisons FACADES OUT`.

FACADES is the folder of CMP facades in the pix2pix form (photo left, label map right), with splits
train and val. OUT takes records, the segmenter and a run for each row; a row that was interrupted
goes on where it stopped. Every row has the same budget, the preset `cpu`. What was measured is
written to COMPARISONS.md and comparisons.json beside this file, with the commands that made it.
"""

import argparse
import csv
import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Scores = tuple[float, float, float]  # per pixel, per class, class IoU


@dataclass(frozen=True)
class Row:
    """One training: what it changes in the preset, and the paper's scores of its kind.

    The paper's are of Cityscapes (tables 1 to 4): only their order can be compared.
    """

    settings: str = ""
    paper: Scores | None = None
    to_labels: bool = False


ROWS: dict[str, Row] = {
    "L1 + cGAN": Row(paper=(0.66, 0.23, 0.17)),
    "L1": Row("--gan-weight 0", (0.42, 0.15, 0.11)),
    "cGAN": Row("--lambda-l1 0", (0.57, 0.22, 0.16)),
    "L1 + cGAN, seed 1": Row("--seed 1", (0.66, 0.23, 0.17)),
    "L1, seed 1": Row("--gan-weight 0 --seed 1", (0.42, 0.15, 0.11)),
    "encoder-decoder, L1 + cGAN": Row("--no-skips", (0.29, 0.09, 0.05)),
    "field 1, L1 + cGAN": Row("--n-layers 0", (0.39, 0.15, 0.10)),
    "photo to labels, L1": Row("--gan-weight 0", (0.86, 0.42, 0.35), to_labels=True),
    "photo to labels, L1 + cGAN": Row("", (0.83, 0.36, 0.29), to_labels=True),
    "L1 + GAN": Row("--no-conditional", (0.64, 0.20, 0.15)),
    "L2 + cGAN": Row("--pixel-loss l2"),
    "field 16, L1 + cGAN": Row("--n-layers 1", (0.65, 0.21, 0.17)),
    "whole image, L1 + cGAN": Row("--n-layers 5", (0.42, 0.16, 0.11)),
    "encoder-decoder, L1": Row("--no-skips --gan-weight 0", (0.35, 0.12, 0.08)),
}


def folder_name(name: str) -> str:
    """Return a row's name as that of a folder."""
    return name.lower().replace(" + ", "+").replace(", ", "_").replace(" ", "-")


def commands(name: str, records: Path, segmenter: Path, run: Path) -> list[list[str]]:
    """Return the words of the two commands that make a row: train, then evaluate."""
    row = ROWS[name]
    direction = "AtoB" if row.to_labels else "BtoA"
    train = ["train", "--preset", "cpu", "--data", str(records), "--direction", direction]
    train += [*row.settings.split(), "--out", str(run), "--resume"]
    evaluate = ["evaluate", str(run), "--data", str(records), "--json", str(run / "scores.json")]
    if not row.to_labels:
        evaluate += ["--segmenter", str(segmenter)]
    return [train, evaluate]


def call(words: list[str]) -> None:
    """Run one command of the package, its output as it comes."""
    print("pix2pix-ms", shlex.join(words), flush=True)
    subprocess.run([sys.executable, "-m", "pix2pix_ms", *words], check=True)


def measured(name: str, run: Path) -> dict[str, Any]:
    """Return what a finished row showed."""
    scores = json.loads((run / "scores.json").read_text())
    with (run / "log.csv").open() as file:
        log = list(csv.DictReader(file))
    return {
        "settings": ROWS[name].settings,
        "epochs": int(log[-1]["epoch"]),
        "minutes": sum(float(row["seconds"]) for row in log) / 60,
        "scores": scores,
    }


def make(name: str, records: Path, segmenter: Path, out: Path) -> dict[str, Any]:
    """Train and evaluate a row, unless it is there already."""
    run = out / folder_name(name)
    if not (run / "scores.json").exists():
        for words in commands(name, records, segmenter, run):
            call(words)
    return measured(name, run)


def table(found: dict[str, Any]) -> str:
    """Return the page COMPARISONS.md."""
    return "\n".join(
        [
            "# The paper's comparisons on real facades",
            "",
            "CMP facades, 400 pairs to train on, 100 held out; preset `cpu` for every row, paper",
            "statistics. Segmentation: per pixel / per class / class IoU under one segmenter; its",
            "score of the real photos is the ceiling. The paper's are of Cityscapes. Made by",
            "`python -m benchmarks.comparisons FACADES OUT`.",
            "",
            "| run | L1 | PSNR | SSIM | Lab L / a / b | segmentation | paper | minutes |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
            *(line(name, shown) for name, shown in found.items()),
            "",
            *ceilings(found)[:1],
            "",
        ]
    )  # fmt: skip


def line(name: str, shown: dict[str, Any]) -> str:
    """Return one row of the table."""
    scores, paper = shown["scores"], ROWS[name].paper
    numbers = [f"{scores['l1']['generated']:.3f}", f"{scores['psnr']['generated']:.2f}"]
    numbers += [f"{scores['ssim']['generated']:.3f}"]
    numbers += [joined(scores["histogram_intersection"], "generated")]
    numbers += [joined(scores["segmentation"], "generated")]
    numbers += [" / ".join(f"{value:.2f}" for value in paper) if paper else ""]
    return " | ".join([f"| {name}", *numbers, f"{shown['minutes']:.1f} |"])


def joined(measures: dict[str, dict[str, float]], side: str) -> str:
    """Return three numbers of one side."""
    return " / ".join(f"{measure[side]:.3f}" for measure in measures.values())


def ceilings(found: dict[str, Any]) -> list[str]:
    """Say what the real photos score, as each row that generates photos found it."""
    photos = [shown["scores"]["segmentation"] for name, shown in found.items()
              if not ROWS[name].to_labels]  # fmt: skip
    return [f"Real photos score {joined(measures, 'target')}." for measures in photos]


def main() -> None:
    """Make the rows named, or all, and write down every row there is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparisons", description=__doc__)
    parser.add_argument("facades", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"one of: {', '.join(ROWS)} [all]")
    words = parser.parse_args()
    unknown = set(words.rows) - set(ROWS)
    if unknown:
        parser.error(f"expected rows among {', '.join(ROWS)}; found {', '.join(sorted(unknown))}")
    records, segmenter = words.out / "records", words.out / "segmenter.ckpt"
    if not (records / "val.mindrecord").exists():
        call(["prepare", str(words.facades), str(records)])
    if not segmenter.exists():
        call(["segmenter", "--data", str(records), "--out", str(segmenter)])
    for name in words.rows or list(ROWS):
        make(name, records, segmenter, words.out)
        done = [row for row in ROWS if (words.out / folder_name(row) / "scores.json").exists()]
        found = {row: measured(row, words.out / folder_name(row)) for row in done}
        (HERE / "comparisons.json").write_text(json.dumps(found, indent=2) + "\n")
        (HERE / "COMPARISONS.md").write_text(table(found))
    print(table(found))


if __name__ == "__main__":
    main()
