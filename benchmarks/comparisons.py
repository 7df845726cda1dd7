"""The paper's comparisons on real facades: `python -m benchmarks.comparisons FACADES OUT`.

FACADES is the folder of CMP facades in the pix2pix form (photo left, label map right), with splits
train and val. OUT takes records, the segmenter and a run for each row; finished work is not done
again, and an interrupted training goes on (a PyTorch one starts over). Every row has the same
budget, the preset `cpu` with the paper's upsampling and patches. What was measured is written to
COMPARISONS.md and comparisons.json beside this file, with the commands that made it; rows that OUT
does not have stay as they were recorded. comparisons.jpg, made once OUT has all that it shows, is
what rows generate for procedural label maps. The rows called PyTorch need it: `make torch`.
"""

import argparse
import csv
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.comparison_page import PAPER, page
from pix2pix_ms import Translator, facade, load_generator, resized
from pix2pix_ms.data.facades import Pixels
from pix2pix_ms.training.figures import DPI, image_grid

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """One training: what it changes in the preset, which way it goes, and who trains."""

    settings: str = ""
    to_labels: bool = False
    pytorch: bool = False


ROWS: dict[str, Row] = {
    "L1 + cGAN": Row(),
    "L1": Row("--gan-weight 0"),
    "cGAN": Row("--lambda-l1 0"),
    "L1 + cGAN, seed 1": Row("--seed 1"),
    "L1, seed 1": Row("--gan-weight 0 --seed 1"),
    "cGAN, seed 1": Row("--lambda-l1 0 --seed 1"),
    "encoder-decoder, L1 + cGAN": Row("--no-skips"),
    "field 1, L1 + cGAN": Row("--n-layers 0"),
    "photo to labels, L1": Row("--gan-weight 0", to_labels=True),
    "photo to labels, L1 + cGAN": Row(to_labels=True),
    "L1 + GAN": Row("--no-conditional"),
    "L2 + cGAN": Row("--pixel-loss l2"),
    "field 16, L1 + cGAN": Row("--n-layers 1"),
    "whole image, L1 + cGAN": Row("--n-layers 5"),
    "encoder-decoder, L1": Row("--no-skips --gan-weight 0"),
    "PyTorch, L1 + cGAN": Row(pytorch=True),
    "PyTorch, L1 + cGAN, seed 1": Row("--seed 1", pytorch=True),
}
# Whose images the picture shows, of which facades, and how large.
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
FACADES, TILE = (100_004, 100_007, 100_012, 100_013), 192
PLACES = (Path("FACADES"), Path("OUT"))  # as the record calls them
CURVES = ("held_out_l1", "held_out_psnr", "held_out_ssim")

Command = tuple[Path, list[str]]  # what it makes, and its words


def folder_name(name: str) -> str:
    """Return a row's name as that of a folder."""
    return name.lower().replace(" + ", "+").replace(", ", "_").replace(" ", "-")


def preparation(facades: Path, out: Path) -> list[Command]:
    """Return the commands that make the records and the segmenter."""
    records, segmenter = out / "records", out / "segmenter.ckpt"
    train = ["pix2pix_ms", "segmenter", "--data", str(records), "--out", str(segmenter)]
    return [
        (records / "val.mindrecord", ["pix2pix_ms", "prepare", str(facades), str(records)]),
        (segmenter, train),
    ]


def training(name: str, facades: Path, out: Path) -> list[Command]:
    """Return the commands that train a row; the last makes the checkpoint."""
    row, run = ROWS[name], out / folder_name(name)
    settings = row.settings.split()
    if row.pytorch:
        theirs, ours = run / "latest_net_G.pth", run / "latest_net_G.ckpt"
        convert = ["pix2pix_ms", "convert", str(theirs), str(ours), "--direction", "BtoA"]
        return [(theirs, ["benchmarks.peer", str(facades), str(run), *settings]), (ours, convert)]
    paper = [part for n, v in PAPER.items() for part in (f"--{n.replace('_', '-')}", str(v))]
    train = ["pix2pix_ms", "train", "--preset", "cpu", *paper, "--data", str(out / "records")]
    train += ["--direction", "AtoB" if row.to_labels else "BtoA", *settings]
    return [(run, [*train, "--out", str(run), "--resume"])]


def measurement(name: str, facades: Path, out: Path) -> Command:
    """Return the command that measures a row, once it is trained."""
    run, (checkpoint, _) = out / folder_name(name), training(name, facades, out)[-1]
    evaluate = ["pix2pix_ms", "evaluate", str(checkpoint), "--data", str(out / "records")]
    evaluate += ["--json", str(run / "scores.json")]
    if not ROWS[name].to_labels:
        evaluate += ["--segmenter", str(out / "segmenter.ckpt")]
    return run / "scores.json", evaluate


def call(words: list[str]) -> None:
    """Run one module's command, its output as it comes."""
    print("python -m", shlex.join(words), flush=True)
    subprocess.run([sys.executable, "-m", *words], check=True)


def make(name: str, facades: Path, out: Path) -> None:
    """Train and evaluate a row, as far as that is not done."""
    made, evaluate = measurement(name, facades, out)
    if made.exists():
        return
    for made, words in training(name, facades, out):
        if not made.is_file():  # a run folder may be there unfinished
            call(words)
    call(evaluate)


def measured(name: str, run: Path) -> dict[str, Any]:
    """Return what a finished row showed."""
    with (run / "log.csv").open() as file:
        log = list(csv.DictReader(file))
    scores = json.loads((run / "scores.json").read_text())
    for place in ("checkpoint", "data", "segmenter"):  # where they lay on one machine
        scores.pop(place, None)
    return {
        "commands": recorded([*training(name, *PLACES), measurement(name, *PLACES)]),
        "epochs": int(log[-1]["epoch"]),
        "minutes": round(sum(float(row["seconds"]) for row in log) / 60, 2),
        "scores": scores,
        "curves": {column: [round(float(row[column]), 4) for row in log] for column in CURVES},
    }


def recorded(commands: list[Command]) -> list[str]:
    """Return commands as one types them."""
    return [shlex.join(words) for _, words in commands]


def write(out: Path) -> None:
    """Write down every row that is there, and those recorded before."""
    record = HERE / "comparisons.json"
    found = json.loads(record.read_text()) if record.exists() else {}
    done = [name for name in ROWS if (out / folder_name(name) / "scores.json").exists()]
    found |= {name: measured(name, out / folder_name(name)) for name in done}
    found = {name: found[name] for name in ROWS if name in found}
    record.write_text(json.dumps(found, indent=1) + "\n")
    (HERE / "COMPARISONS.md").write_text(page(found, recorded(preparation(*PLACES))))
    if set(PICTURED) <= set(done):
        painters = {
            name: Translator(*load_generator(out / folder_name(name))).image for name in PICTURED
        }
        picture(painters).savefig(HERE / "comparisons.jpg", pil_kwargs={"quality": 90})


def picture(painters: Mapping[str, Callable[[Pixels], Pixels]]) -> Figure:
    """Show procedural label maps, a row each, and what every network makes of them."""
    maps = [facade(seed, 128).label_map for seed in FACADES]
    rows = [[seen, *(paint(seen) for paint in painters.values())] for seen in maps]
    enlarged = [[resized(image, TILE, TILE) for image in row] for row in rows]
    titles = ["label map", *(name.removesuffix(", L1 + cGAN") for name in painters)]
    return image_grid(enlarged, titles, cell=1.03 * TILE / DPI)  # a pixel for each pixel


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
    for made, step in preparation(words.facades, words.out):
        if not made.exists():
            call(step)
    for name in words.rows or list(ROWS):
        make(name, words.facades, words.out)
        write(words.out)


if __name__ == "__main__":
    main()
