"""CycleGAN on real facades, no photo told its label map: `python -m benchmarks.cyclegan F OUT`.

F is the folder of CMP facades in the pix2pix form (photo left, A; label map right, B), with splits
train and val. OUT takes their records and the run; finished work is not done again, and an
interrupted training goes on. What the held-out pairs were measured goes to cyclegan.json beside
this file, numbers alone, with those of pix2pix, which is told the pairs, from comparisons.json.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from pix2pix_ms.data.prepare import prepare
from pix2pix_ms.data.records import SUFFIX
from pix2pix_ms.models import preset
from pix2pix_ms.report import evaluate_checkpoint
from pix2pix_ms.run import Run
from pix2pix_ms.settings import Direction
from pix2pix_ms.tasks.unpaired import UnpairedTask
from pix2pix_ms.training import train

RESULTS = Path(__file__).with_suffix(".json")
COMPARISONS = Path(__file__).with_name("comparisons.json")
# What pix2pix was measured is written under these names there.
PAIRED: dict[Direction, str] = {"AtoB": "photo to labels, L1 + cGAN", "BtoA": "L1 + cGAN"}
# Few epochs: a step takes half a second of a core.
CONFIG = preset("cpu", "cyclegan", epochs=7, constant_epochs=5)


def records_of(facades: Path, out: Path) -> Path:
    """Write the pairs as records where they are not yet; return their folder."""
    records = out / "records"
    if not (records / f"val{SUFFIX}").is_file():
        prepare(facades, records)
    return records


def row_of(scores: dict[str, Any]) -> dict[str, float]:
    """Return what generated images were measured, of a report's JSON, short enough to read."""
    named = {name: scores[name] for name in ("l1", "psnr", "ssim")}
    named |= {f"histogram_{name}": m for name, m in scores["histogram_intersection"].items()}
    named |= scores["segmentation"] or {}
    return {name: round(measure["generated"], 4) for name, measure in named.items()}


def curves(run: Run) -> dict[str, list[float]]:
    """Return a run's log by column, without what a rerun would not repeat."""
    log = run.log()
    names = [name for name in log[0] if name.startswith(("loss_", "held_out_"))]
    first = {name: 1 if name.startswith("loss_") else 0 for name in names}  # row 0: untrained
    return {name: [round(row[name], 4) for row in log[first[name] :]] for name in names}


def learned(facades: Path, out: Path) -> dict[str, Any]:
    """Train to the end, unless that is done, and measure both directions."""
    records = records_of(facades, out)
    run = train(CONFIG, UnpairedTask.open_data(records, CONFIG), out / "cyclegan", resume=True)
    rows = {
        direction: row_of(
            json.loads(evaluate_checkpoint(run.folder, records, direction=direction).to_json())
        )
        for direction in PAIRED
    }
    return {
        "height": CONFIG.shape[0],
        "width": CONFIG.shape[1],
        "epochs": CONFIG.epochs,
        **rows,
        "curves": curves(run),
    }


def paired() -> dict[str, Any]:
    """Return what pix2pix was measured on the same held-out pairs, at its size."""
    recorded = json.loads(COMPARISONS.read_text())
    rows = {direction: recorded[name] for direction, name in PAIRED.items()}
    size, epochs = rows["AtoB"]["scores"]["size"], rows["AtoB"]["epochs"]
    return {"height": size, "width": size, "epochs": epochs} | {
        direction: row_of(row["scores"]) for direction, row in rows.items()
    }


def main() -> None:
    """Train what is missing, measure all, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("facades", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    results = {
        "command": "python -m benchmarks.cyclegan FACADES OUT",
        "images": "CMP facades, 400 of each domain to train on, 100 pairs held out",
        "directions": {"AtoB": "photo to label map", "BtoA": "label map to photo"},
        "cyclegan": learned(arguments.facades, arguments.out),
        "pix2pix": paired(),
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
