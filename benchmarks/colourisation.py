"""Colourisation of real facades, L1 against L1 + cGAN: `python -m benchmarks.colourisation F OUT`.

F is the folder of CMP facades in the pix2pix form (photo left), with splits train and val. OUT
takes records of the photos alone and a run for each loss and seed; finished work is not done again,
and an interrupted training goes on. What held-out photos were measured goes to colourisation.json
beside this file: numbers alone.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.comparison_page import HISTOGRAMS, PAPER
from pix2pix_ms.config.models import preset
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.images import Pair
from pix2pix_ms.data.lab import lightness
from pix2pix_ms.data.pair_batches import settings_of, training_data
from pix2pix_ms.data.prepare.folders import find_pairs
from pix2pix_ms.data.records import SUFFIX, open_record
from pix2pix_ms.data.writing import write_record
from pix2pix_ms.pix2pix.measures.evaluate import evaluate_checkpoint
from pix2pix_ms.training.epochs import train

RESULTS = Path(__file__).with_suffix(".json")
LOSSES: dict[str, dict[str, Any]] = {"L1": {"gan_weight": 0.0}, "L1 + cGAN": {}}
SEEDS = (0, 1)


def photos(facades: Path, out: Path) -> Path:
    """Write the left halves of a data set as records for colourisation; return their folder."""
    for split in ("train", "val"):
        path = out / "records" / f"{split}{SUFFIX}"
        if not path.is_file():
            pairs = (files.read() for files in find_pairs(facades / split))
            write_record((Pair(lightness(a), a, name) for a, _, name in pairs), path, "lab")
    return out / "records"


def measured(config: Config, records: Path, run: Path) -> dict[str, Any]:
    """Train a run to its end and measure it on the held-out photos."""
    train(config, training_data(records, config.seed), run, resume=True)
    report = evaluate_checkpoint(run, records, target="other")
    shares = {f"histogram_{name}": m.generated for name, m in report.histogram_intersection.items()}
    distances = {name: getattr(report, name).generated for name in ("l1", "psnr", "ssim")}
    return {"seed": config.seed, **shares, **distances}


def main() -> None:
    """Train what is missing, measure all, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("facades", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    records = photos(arguments.facades, arguments.out)
    found = settings_of(open_record(records / f"train{SUFFIX}"), "AtoB")
    base = preset("cpu", **PAPER, **found)
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, changes in LOSSES.items():
        for seed in SEEDS:
            run = arguments.out / f"{name.replace(' + ', '+').lower()}-{seed}"
            row = measured(replace(base, seed=seed, **changes), records, run)
            rows.setdefault(name, []).append(row)
    results = {
        "command": "python -m benchmarks.colourisation FACADES OUT",
        "height": base.shape[0], "width": base.shape[1], "ngf": base.ngf, "epochs": base.epochs,
        "photos": "CMP facades, 400 to train on, 100 held out",
        "runs": rows,
        "paper": {name: HISTOGRAMS[0].numbers[name] for name in LOSSES},
    }  # fmt: skip
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
