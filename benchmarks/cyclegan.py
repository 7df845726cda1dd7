"""CycleGAN on real facades, no photo told its label map: `python -m benchmarks.cyclegan F OUT`.

F is the folder of CMP facades in the pix2pix form (photo left, A; label map right, B), with splits
train and val. OUT takes their records, CycleGAN's run, and a run of pix2pix in either direction on
the same images as the pairs they are; finished work is not done again, and an interrupted training
goes on. What the held-out pairs were measured goes to cyclegan.json beside this file: numbers alone.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pix2pix_ms.data.pipeline import training_data
from pix2pix_ms.data.prepare import prepare
from pix2pix_ms.data.records import SUFFIX
from pix2pix_ms.models import preset
from pix2pix_ms.report import Measure, evaluate_checkpoint
from pix2pix_ms.run import Run
from pix2pix_ms.settings import Direction
from pix2pix_ms.tasks.unpaired import UnpairedTask
from pix2pix_ms.training import train

RESULTS = Path(__file__).with_suffix(".json")
DIRECTIONS: tuple[Direction, ...] = ("AtoB", "BtoA")
SIZE = {"size": 64, "jitter_size": 72}
CYCLEGAN = preset("cpu", "cyclegan", epochs=14, constant_epochs=7, **SIZE)
PIX2PIX = preset("cpu", epochs=15, **SIZE)


def records_of(facades: Path, out: Path) -> Path:
    """Write the pairs as records where they are not yet; return their folder."""
    records = out / "records"
    if not (records / f"val{SUFFIX}").is_file():
        prepare(facades, records)
    return records


def number(measure: Measure) -> float | None:
    """Return what the generated images were measured, short enough to read."""
    return None if measure.generated is None else round(measure.generated, 4)


def measured(run: Path, records: Path, direction: Direction) -> dict[str, float | None]:
    """Measure a generator on the held-out pairs."""
    report = evaluate_checkpoint(run, records, direction=direction)
    row = {name: number(getattr(report, name)) for name in ("l1", "psnr", "ssim")}
    row |= {f"histogram_{n}": number(m) for n, m in report.histogram_intersection.items()}
    return row | {name: number(m) for name, m in (report.segmentation or {}).items()}


def curves(run: Run) -> dict[str, list[float]]:
    """Return a run's log by column, without what a rerun would not repeat."""
    log = run.log()
    names = [name for name in log[0] if name.startswith(("loss_", "held_out_"))]
    first = {name: 1 if name.startswith("loss_") else 0 for name in names}  # row 0: untrained
    return {name: [round(row[name], 4) for row in log[first[name] :]] for name in names}


def cyclegan(records: Path, out: Path) -> dict[str, Any]:
    """Train CycleGAN to its end and measure both directions."""
    data = UnpairedTask.open_data(records, CYCLEGAN)
    run = train(CYCLEGAN, data, out / "cyclegan", resume=True)
    return {
        **{direction: measured(run.folder, records, direction) for direction in DIRECTIONS},
        "epochs": CYCLEGAN.epochs,
        "minutes": round(sum(row["seconds"] for row in run.log()) / 60, 1),
        "curves": curves(run),
    }


def pix2pix(records: Path, out: Path) -> dict[str, Any]:
    """Train pix2pix in both directions and measure them."""
    rows: dict[str, Any] = {"epochs": PIX2PIX.epochs}
    for direction in DIRECTIONS:
        config = replace(PIX2PIX, direction=direction)
        data = training_data(records, config.seed)
        run = train(config, data, out / f"pix2pix-{direction}", resume=True)
        rows[direction] = measured(run.folder, records, direction)
    return rows


def main() -> None:
    """Train what is missing, measure all, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("facades", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    records = records_of(arguments.facades, arguments.out)
    results = {
        "command": "python -m benchmarks.cyclegan FACADES OUT",
        "images": "CMP facades, 400 of each domain to train on, 100 pairs held out",
        "directions": {"AtoB": "photo to label map", "BtoA": "label map to photo"},
        "height": CYCLEGAN.shape[0], "width": CYCLEGAN.shape[1], "ngf": CYCLEGAN.ngf,
        "cyclegan": cyclegan(records, arguments.out),
        "pix2pix": pix2pix(records, arguments.out),
    }  # fmt: skip
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
