"""Curve and strip of facades-256: `python -m benchmarks.facades_256 FACADES TENTH RUN [RUN …]`.

The RUNs are the parts of its training, in their order, TENTH the folder of records they learned
from, whose held-out pairs give the curve (`kid.csv`, beside it one `log.csv`). Two label maps of
FACADES/val are translated at six stages (`epochs.jpg`, generated pictures alone).
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.pictures import evaluate, kept
from pix2pix_ms.data.prepare.folders import halves
from pix2pix_ms.pix2pix.translate import Translator
from pix2pix_ms.training.checkpoints import SHIPPED_GENERATOR, load_generator
from pix2pix_ms.training.run import Run

SHOWN = ("12", "16")  # of val
STAGES = ((0, 5), (0, 20), (1, 5), (1, 20), (1, 32), (3, 14))  # part of the training, epoch


def write_curve(runs: list[Run], records: Path) -> None:
    """Measure what the runs kept; write KID x 1000 and one log, epochs and steps counted on."""
    curve, log, epochs, steps = [], [], 0, 0
    for run in runs:
        evaluate(run.folder, "cpu", records)
        weight = f"{run.config().lambda_l1:g}"
        for epoch in kept(run.folder):
            scores = json.loads((run.folder / f"scores_{epoch:03d}.json").read_text())
            kid = f"{scores['kid']['generated']:.1f}"
            curve.append({"lambda_l1": weight, "epoch": epochs + epoch, "kid": kid})
        with run.log_file.open() as file:
            rows = list(csv.DictReader(file))[bool(log) :]  # a later part's epoch 0 is known
        log += [
            row | {"epoch": int(row["epoch"]) + epochs, "step": int(row["step"]) + steps}
            for row in rows
        ]
        epochs, steps = log[-1]["epoch"], log[-1]["step"]
    for name, written in (("kid.csv", curve), ("log.csv", log)):
        with (SHIPPED_GENERATOR / name).open("w") as file:
            writer = csv.DictWriter(file, list(written[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(written)


def write_strip(runs: list[Run], facades: Path) -> None:
    """Draw two facades below each other at every stage."""
    label_maps = [halves(facades / "val" / f"{name}.jpg")[1] for name in SHOWN]
    stages = []
    for part, epoch in STAGES:
        translator = Translator(*load_generator(runs[part].generator_file(epoch)))
        stages.append(np.vstack([translator.image(label_map) for label_map in label_maps]))
    columns = np.hstack(stages)
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
