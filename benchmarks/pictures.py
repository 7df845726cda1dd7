"""What makes better pictures: `python -m benchmarks.pictures FACADES OUT [RECIPE …]`.

FACADES is the folder of CMP facades in the pix2pix form. A tenth of its split train is held out and
judges; val is never looked at. Every recipe is the preset `cpu` with some settings changed; every
fifth epoch is measured by KID and weave. Finished work is not done again, and an interrupted
training goes on. What was measured is written to pictures.json and PICTURES.md beside this file,
and the curves to pictures.png. The PyTorch reference's recipe needs it: `make torch`.
"""

import argparse
import csv
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

HERE = Path(__file__).parent
EVERY = 5  # epochs between measurements

RECIPES: dict[str, str] = {
    "paper": "",
    "composed": "--upsampling composed",
    "composed, average": "--upsampling composed --ema 0.999",
    "composed, average, LSGAN at 4e-4": (
        "--upsampling composed --ema 0.999 --gan-mode lsgan --learning-rate 4e-4"
    ),
    "composed, average, rate 4e-4": "--upsampling composed --ema 0.999 --learning-rate 4e-4",
    "composed, average, LSGAN": "--upsampling composed --ema 0.999 --gan-mode lsgan",
    "composed, average, lambda 50": "--upsampling composed --ema 0.999 --lambda-l1 50",
    "composed, average, no dropout": "--upsampling composed --ema 0.999 --no-dropout",
    "composed, average, ndf 64": "--upsampling composed --ema 0.999 --ndf 64",
    "composed, average, start 0.01": "--upsampling composed --ema 0.999 --init-gain 0.01",
}


def call(*words: str) -> None:
    """Run one module's command, its output as it comes."""
    print("python -m", shlex.join(words), flush=True)
    subprocess.run([sys.executable, "-m", *words], check=True)


def folder_name(recipe: str) -> str:
    """Return a recipe's name as that of a folder."""
    return recipe.lower().replace(", ", "_").replace(" ", "-")


def prepare(facades: Path, out: Path) -> Path:
    """Make the records: nine tenths of train to learn from, a tenth to judge by."""
    records = out / "records"
    if not (records / "val.mindrecord").exists():
        call("pix2pix_ms", "prepare", str(facades / "train"), str(records), "--val-ratio", "0.1")
    return records


def measure(recipe: str, records: Path, out: Path, epochs: int) -> None:
    """Train a recipe and measure what it kept, as far as that is not done."""
    run = out / folder_name(recipe)
    train = ["--preset", "cpu", "--direction", "BtoA", "--epochs", str(epochs)]
    train += ["--save-every", str(EVERY), *RECIPES[recipe].split()]
    call("pix2pix_ms", "train", "--data", str(records), "--out", str(run), "--resume", *train)
    for epoch in range(EVERY, epochs + 1, EVERY):
        scores = run / f"scores_{epoch:03d}.json"
        if not scores.exists():
            kept = run / "checkpoints" / f"epoch_{epoch:03d}.ckpt"
            call("pix2pix_ms", "evaluate", str(kept), "--data", str(records), "--json", str(scores))


def measured(recipe: str, run: Path) -> dict[str, Any]:
    """Return a recipe's curve: minutes of training, KID, its spread and weave by epoch."""
    with (run / "log.csv").open() as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    curve = []
    for path in sorted(run.glob("scores_*.json")):
        epoch, scores = int(path.stem.removeprefix("scores_")), json.loads(path.read_text())
        curve.append(
            {
                "epoch": epoch,
                "minutes": round(sum(seconds[: epoch + 1]) / 60, 2),
                "kid": round(scores["kid"]["generated"], 1),
                "spread": round(scores["kid_spread"]["generated"], 1),
                "weave": round(scores["weave"]["generated"], 2),
                "l1": round(scores["l1"]["generated"], 4),
            }
        )
    return {"settings": RECIPES[recipe], "curve": curve}


def page(found: dict[str, Any]) -> str:
    """Return PICTURES.md."""
    epochs = sorted({point["epoch"] for each in found.values() for point in each["curve"]})
    head = "".join(f" {epoch} |" for epoch in epochs)
    lines = [
        "# What makes better pictures",
        "",
        "KID x 1000 (smaller is better; plus or minus its spread over subsets, then the weave)",
        "after so many epochs at 128x128, preset `cpu`, one seed, on a tenth of CMP's split train",
        "that was held out. `python -m benchmarks.pictures FACADES OUT` makes this page.",
        "",
        f"| recipe | settings |{head}",
        "| --- | --- |" + " --- |" * len(epochs),
    ]
    for name, each in found.items():
        points = {point["epoch"]: point for point in each["curve"]}
        cells = "".join(
            f" {p['kid']:.0f} ± {p['spread']:.0f}, {p['weave']:.1f} |" if p else " |"
            for p in (points.get(epoch) for epoch in epochs)
        )
        lines.append(f"| {name} | `{each['settings'] or 'none changed'}` |{cells}")
    return "\n".join([*lines, "", "![KID against minutes](pictures.png)", ""])


def curves(found: dict[str, Any]) -> Figure:
    """Draw KID against minutes of training."""
    figure = Figure(figsize=(8, 4.5), dpi=110, layout="constrained")
    axes = figure.subplots()
    for name, each in found.items():
        minutes, kid = ([point[key] for point in each["curve"]] for key in ("minutes", "kid"))
        axes.plot(minutes, kid, marker=".", label=name)
    axes.set(xlabel="minutes of training on two cores", ylabel="KID x 1000, held-out facades")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def main() -> None:
    """Train and measure the recipes named, or all, and write down every one there is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__)
    parser.add_argument("facades", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=f"{'; '.join(RECIPES)} [all]")
    parser.add_argument("--epochs", type=int, default=10)
    words = parser.parse_args()
    if unknown := set(words.recipes) - set(RECIPES):
        parser.error(f"expected recipes among {'; '.join(RECIPES)}; found {'; '.join(unknown)}")
    records = prepare(words.facades, words.out)
    for recipe in words.recipes or list(RECIPES):
        measure(recipe, records, words.out, words.epochs)
        runs = {name: words.out / folder_name(name) for name in RECIPES}
        found = {n: measured(n, run) for n, run in runs.items() if any(run.glob("scores_*.json"))}
        (HERE / "pictures.json").write_text(json.dumps(found, indent=1) + "\n")
        (HERE / "PICTURES.md").write_text(page(found))
        curves(found).savefig(HERE / "pictures.png")


if __name__ == "__main__":
    main()
