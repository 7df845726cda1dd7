"""Curve and strip of facades-256: `python -m benchmarks.facades_256 FACADES TENTH RUN [RUN …]`.

The RUNs are the parts of its training, in their order, TENTH the folder of records they learned
from, whose held-out pairs give the curve (`kid.csv`). Two label maps of FACADES/val are translated
at six stages (`epochs.jpg`, generated pictures alone).
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.pictures import evaluate
from pix2pix_ms.data.images import Pixels, resized
from pix2pix_ms.data.prepare.folders import halves
from pix2pix_ms.pix2pix.translate import Translator
from pix2pix_ms.training.checkpoints import SHIPPED_GENERATOR, load_generator
from pix2pix_ms.training.run import Run

SHOWN = ("12", "16")  # of val
STAGES = ((0, 5), (0, 20), (1, 5), (1, 20), (1, 32), (2, 30))  # part of the training, epoch


def translated(checkpoint: Path, label_maps: list[Pixels]) -> list[Pixels]:
    """Translate label maps of any size, all with the same dropout."""
    generator, config = load_generator(checkpoint)
    translator = Translator(generator, config)
    return [translator.image(resized(each, *config.shape)) for each in label_maps]


def kept(run: Run) -> dict[int, Path]:
    """Return the generators that a run kept, by epoch."""
    found = sorted(run.folder.glob("checkpoints/epoch_*.ckpt"))
    return {int(path.stem.removeprefix("epoch_")): path for path in found}


def write_curve(runs: list[Run], records: Path) -> None:
    """Measure what the runs kept, and write KID x 1000 by lambda and epoch of that lambda."""
    before: dict[float, int] = {}
    with (SHIPPED_GENERATOR / "kid.csv").open("w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["lambda_l1", "epoch", "kid"])
        for run in runs:
            evaluate(run.folder, "cpu", records)
            weight = run.config().lambda_l1
            first = before.get(weight, 0)
            for epoch in kept(run):
                scores = json.loads((run.folder / f"scores_{epoch:03d}.json").read_text())
                writer.writerow([f"{weight:g}", first + epoch, f"{scores['kid']['generated']:.1f}"])
                before[weight] = first + epoch


def write_strip(runs: list[Run], facades: Path) -> None:
    """Draw two facades below each other at every stage."""
    label_maps = [halves(facades / "val" / f"{name}.jpg")[1] for name in SHOWN]
    stages = [translated(kept(runs[part])[epoch], label_maps) for part, epoch in STAGES]
    columns = np.hstack([np.vstack(stage) for stage in stages])
    Image.fromarray(columns).save(SHIPPED_GENERATOR / "epochs.jpg", quality=90)


def main() -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.facades_256", description=__doc__)
    parser.add_argument("facades", type=Path)
    parser.add_argument("tenth", type=Path)
    parser.add_argument("runs", nargs="+", type=lambda folder: Run(Path(folder)))
    words = parser.parse_args()
    write_curve(words.runs, words.tenth)
    write_strip(words.runs, words.facades)


if __name__ == "__main__":
    main()
