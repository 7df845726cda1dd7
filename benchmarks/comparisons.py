"""The paper's comparisons on real facades: `python -m benchmarks.comparisons FACADES OUT`.

FACADES is the folder of CMP facades in the pix2pix form (photo left, label map right), with splits
train and val. OUT takes records, the segmenter and a run for each row; a row that was interrupted
goes on where it stopped. Every row has the same budget, the preset `cpu`. What was measured is
written to COMPARISONS.md and comparisons.json beside this file, with the commands that made it;
comparisons.jpg shows what each row generated for some held-out label maps.
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

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.comparison_page import Numbers, page
from pix2pix_ms.figures import DPI, image_grid

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """One training: what it changes in the preset, and the paper's numbers of its kind.

    The paper's are of Cityscapes (tables 1 to 5): only their order can be compared.
    """

    settings: str = ""
    segmentation: Numbers | None = None
    histogram_intersection: Numbers | None = None
    to_labels: bool = False
    pytorch: bool = False


ROWS: dict[str, Row] = {
    "L1 + cGAN": Row("", (0.66, 0.23, 0.17), (0.86, 0.84, 0.82)),
    "L1": Row("--gan-weight 0", (0.42, 0.15, 0.11), (0.81, 0.69, 0.70)),
    "cGAN": Row("--lambda-l1 0", (0.57, 0.22, 0.16)),
    "L1 + cGAN, seed 1": Row("--seed 1", (0.66, 0.23, 0.17), (0.86, 0.84, 0.82)),
    "L1, seed 1": Row("--gan-weight 0 --seed 1", (0.42, 0.15, 0.11), (0.81, 0.69, 0.70)),
    "encoder-decoder, L1 + cGAN": Row("--no-skips", (0.29, 0.09, 0.05)),
    "field 1, L1 + cGAN": Row("--n-layers 0", (0.39, 0.15, 0.10)),
    "photo to labels, L1": Row("--gan-weight 0", (0.86, 0.42, 0.35), to_labels=True),
    "photo to labels, L1 + cGAN": Row("", (0.83, 0.36, 0.29), to_labels=True),
    "L1 + GAN": Row("--no-conditional", (0.64, 0.20, 0.15)),
    "L2 + cGAN": Row("--pixel-loss l2"),
    "field 16, L1 + cGAN": Row("--n-layers 1", (0.65, 0.21, 0.17)),
    "whole image, L1 + cGAN": Row("--n-layers 5", (0.42, 0.16, 0.11)),
    "encoder-decoder, L1": Row("--no-skips --gan-weight 0", (0.35, 0.12, 0.08)),
    "PyTorch, L1 + cGAN": Row("", pytorch=True),
    "PyTorch, L1 + cGAN, seed 1": Row("--seed 1", pytorch=True),
}
# Whose images the picture shows, and of which held-out pairs.
PICTURED = (
    "L1",
    "cGAN",
    "L1 + cGAN",
    "L1 + GAN",
    "encoder-decoder, L1 + cGAN",
    "field 1, L1 + cGAN",
    "field 16, L1 + cGAN",
    "whole image, L1 + cGAN",
)
HELD_OUT = ("1", "10", "100", "12")
PLACES = (Path("FACADES"), Path("OUT"))  # as the record calls them
PAPER = ("segmentation", "histogram_intersection")
CURVES = ("held_out_l1", "held_out_psnr", "held_out_ssim")


def folder_name(name: str) -> str:
    """Return a row's name as that of a folder."""
    return name.lower().replace(" + ", "+").replace(", ", "_").replace(" ", "-")


def preparation(facades: Path, out: Path) -> list[list[str]]:
    """Return the words of the commands that make the records and the segmenter, if need be."""
    records, segmenter = out / "records", out / "segmenter.ckpt"
    steps = []
    if not (records / "val.mindrecord").exists():
        steps.append(["pix2pix_ms", "prepare", str(facades), str(records)])
    if not segmenter.exists():
        steps.append(["pix2pix_ms", "segmenter", "--data", str(records), "--out", str(segmenter)])
    return steps


def commands(name: str, facades: Path, out: Path) -> list[list[str]]:
    """Return the words of the commands that make a row: a training, then what measures it."""
    row, run, records = ROWS[name], out / folder_name(name), out / "records"
    judged, segmenter = run, ["--segmenter", str(out / "segmenter.ckpt")]
    if row.pytorch:
        judged = run / "latest_net_G.ckpt"
        train = [
            ["benchmarks.peer", str(facades), str(run), *row.settings.split()],
            ["pix2pix_ms", "convert", str(judged.with_suffix(".pth")), str(judged)],
        ]
        train[1] += ["--direction", "BtoA"]
    else:
        direction = "AtoB" if row.to_labels else "BtoA"
        train = [["pix2pix_ms", "train", "--preset", "cpu", "--data", str(records)]]
        train[0] += ["--direction", direction, *row.settings.split()]
        train[0] += ["--out", str(run), "--resume"]
    evaluate = ["pix2pix_ms", "evaluate", str(judged), "--data", str(records)]
    evaluate += ["--json", str(run / "scores.json"), *(segmenter * (not row.to_labels))]
    evaluate += ["--save-images", str(run / "images")]
    return [*train, evaluate]


def call(words: list[str]) -> None:
    """Run one module's command, its output as it comes."""
    print("python -m", shlex.join(words), flush=True)
    subprocess.run([sys.executable, "-m", *words], check=True)


def measured(name: str, run: Path) -> dict[str, Any]:
    """Return what a finished row showed."""
    with (run / "log.csv").open() as file:
        log = list(csv.DictReader(file))
    scores = json.loads((run / "scores.json").read_text())
    for place in ("checkpoint", "data"):  # where they lay on one machine
        del scores[place]
    return {
        "paper": {measure: getattr(ROWS[name], measure) for measure in PAPER},
        "commands": [shlex.join(words) for words in commands(name, *PLACES)],
        "epochs": int(log[-1]["epoch"]),
        "minutes": round(sum(float(row["seconds"]) for row in log) / 60, 2),
        "scores": scores,
        "curves": {column: [round(float(row[column]), 4) for row in log] for column in CURVES},
    }


def make(name: str, facades: Path, out: Path) -> None:
    """Train and evaluate a row, unless it is there already."""
    if not (out / folder_name(name) / "scores.json").exists():
        for words in commands(name, facades, out):
            call(words)


def picture(shown: dict[str, Path]) -> Figure:
    """Show what rows generated, a column each, for the same label maps; nothing of the data set."""
    columns = [
        [np.asarray(Image.open(folder / "generated" / f"{name}.png")) for name in HELD_OUT]
        for folder in shown.values()
    ]
    rows = list(zip(*columns, strict=True))
    titles = [name.removesuffix(", L1 + cGAN") for name in shown]
    return image_grid(rows, titles, cell=rows[0][0].shape[0] / DPI)  # a pixel for each pixel


def main() -> None:
    """Make the rows named, or all, and write down every row there is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparisons", description=__doc__)
    parser.add_argument("facades", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"one of: {'; '.join(ROWS)} [all]")
    words = parser.parse_args()
    unknown = set(words.rows) - set(ROWS)
    if unknown:
        parser.error(f"expected rows among {'; '.join(ROWS)}; found {'; '.join(sorted(unknown))}")
    for step in preparation(words.facades, words.out):
        call(step)
    for name in words.rows or list(ROWS):
        make(name, words.facades, words.out)
        write(words.out)


def write(out: Path) -> None:
    """Write down every row that is there."""
    done = [name for name in ROWS if (out / folder_name(name) / "scores.json").exists()]
    found = {name: measured(name, out / folder_name(name)) for name in done}
    (HERE / "comparisons.json").write_text(json.dumps(found, indent=1) + "\n")
    shown = {name: out / folder_name(name) / "images" for name in PICTURED if name in done}
    picture(shown).savefig(HERE / "comparisons.jpg", pil_kwargs={"quality": 90})
    (HERE / "COMPARISONS.md").write_text(page(found, [*map(shlex.join, preparation(*PLACES))]))


if __name__ == "__main__":
    main()
