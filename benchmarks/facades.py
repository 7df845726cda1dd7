"""Curve and strip of facades-128 or -256: `python -m benchmarks.facades FACADES TENTH RUN [RUN …]`.

The RUNs are the parts of its training, in their order, TENTH the folder of records they learned
from, whose held-out pairs give the curve (`kid.csv`, beside it one `log.csv`). Two label maps of
FACADES/val are translated at six stages (`epochs.jpg`, generated pictures alone). The size of the
runs' pictures names the network.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.pictures import evaluate, kept
from benchmarks.shipped import joined_log
from pix2pix_ms.data.prepare.folders import halves
from pix2pix_ms.pix2pix.translate import Translator
from pix2pix_ms.training.checkpoints import SHIPPED, load_generator
from pix2pix_ms.training.run import LogRow, Run, log_text, number

SHOWN = ("12", "16")  # of val
# By size: part of the training, epoch.
STAGES = {
    128: ((0, 10), (0, 30), (1, 5), (1, 10), (1, 20), (1, 40)),
    256: ((0, 5), (0, 20), (1, 5), (1, 20), (1, 32), (3, 14)),
}


def write_curve(runs: list[Run], records: Path, shipped: Path) -> None:
    """Measure what the runs kept; write KID x 1000 and one log, epochs and steps counted on."""
    curve: list[LogRow] = []
    epochs = 0
    for run in runs:
        evaluate(run.folder, "cpu", records)
        for epoch in kept(run.folder):
            scores = json.loads((run.folder / f"scores_{epoch:03d}.json").read_text())
            weight = number(f"{run.config().lambda_l1:g}")
            kid = round(scores["kid"]["generated"], 1)
            curve.append({"lambda_l1": weight, "epoch": epochs + epoch, "kid": kid})
        epochs += int(run.log()[-1]["epoch"])
    (shipped / "kid.csv").write_text(log_text(curve))
    (shipped / "log.csv").write_text(log_text(joined_log(runs)))


def write_strip(runs: list[Run], facades: Path, shipped: Path) -> None:
    """Draw two facades below each other at every stage."""
    label_maps = [halves(facades / "val" / f"{name}.jpg")[1] for name in SHOWN]
    stages = []
    for part, epoch in STAGES[runs[0].config().size]:
        translator = Translator(*load_generator(runs[part].generator_file(epoch)))
        stages.append(np.vstack([translator.image(label_map) for label_map in label_maps]))
    columns = np.hstack(stages)
    Image.fromarray(columns).save(shipped / "epochs.jpg", quality=90)


def main() -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.facades", description=__doc__)
    parser.add_argument("facades", type=Path)
    parser.add_argument("tenth", type=Path)
    parser.add_argument("runs", nargs="+", type=lambda folder: Run(Path(folder)))
    words = parser.parse_args()
    shipped = SHIPPED / f"facades-{words.runs[0].config().size}"
    write_curve(words.runs, words.tenth, shipped)
    write_strip(words.runs, words.facades, shipped)


if __name__ == "__main__":
    main()
