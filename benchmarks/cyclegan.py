"""CycleGAN on real facades, no photo told its label map: `python -m benchmarks.cyclegan F OUT`.

F is the folder of CMP facades in the pix2pix form (photo left, A; label map right, B), with splits
train and val. OUT takes their records and the run; finished work is not done again, and an
interrupted training goes on. What the held-out pairs were measured goes to cyclegan.json beside
this file, numbers alone, with those of pix2pix, which is told the pairs: a training for each
direction, of the same size, width and number of epochs. To cyclegan.png go some facades that it
made of held-out label maps.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.comparison_page import PAPER
from pix2pix_ms import Translator, load_generator
from pix2pix_ms.config.models import MODELS, preset
from pix2pix_ms.config.settings import Direction, Settings
from pix2pix_ms.data.images import to_pixels
from pix2pix_ms.data.pair_batches import Subset
from pix2pix_ms.data.prepare.prepare import prepare
from pix2pix_ms.data.records import SUFFIX, open_record
from pix2pix_ms.pix2pix.measures.evaluate import evaluate_checkpoint
from pix2pix_ms.pix2pix.translate import triples
from pix2pix_ms.training.epochs import train
from pix2pix_ms.training.run import Run

RESULTS, PICTURE = (Path(__file__).with_suffix(suffix) for suffix in (".json", ".png"))
SHOWN = tuple(range(0, 96, 12))  # of the held-out pairs
DIRECTIONS: dict[Direction, str] = {
    "AtoB": "photo to label map", "BtoA": "label map to photo",
}  # fmt: skip
# Half the paper's width, a quarter of its size, a tenth of its epochs: a step of CycleGAN takes
# half a second of a core.
EPOCHS, CONSTANT = 20, 10
SCHEDULE = {"epochs": EPOCHS, "constant_epochs": CONSTANT}
CYCLEGAN = preset("cpu", "cyclegan", upsampling="transposed", **SCHEDULE)
PIX2PIX = preset("cpu", **PAPER, size=CYCLEGAN.size, jitter_size=CYCLEGAN.jitter_size, **SCHEDULE)


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


def trained(config: Settings, records: Path, folder: Path) -> Run:
    """Train to the end, unless that is done."""
    task = MODELS[config.model].task_class()
    return train(config, task.open_data(records, config), folder, resume=True)


def measured(run: Run, records: Path, direction: Direction) -> dict[str, float]:
    """Measure one direction of a run on the held-out pairs."""
    report = evaluate_checkpoint(run.folder, records, direction=direction)
    return row_of(json.loads(report.to_json()))


def unpaired(records: Path, out: Path) -> dict[str, Any]:
    """Return what CycleGAN reaches, told no pairs, and how it went."""
    run = trained(CYCLEGAN, records, out / "cyclegan")
    return {way: measured(run, records, way) for way in DIRECTIONS} | {"curves": curves(run)}


def picture(records: Path, out: Path) -> Image.Image:
    """Return a row of facades made of held-out label maps, with nothing of the data beside them."""
    generator, config = load_generator(out / "cyclegan", "BtoA")
    some = Subset(open_record(records / f"val{SUFFIX}"), SHOWN)
    made = [generated for _, generated, _ in triples(Translator(generator, config), some)]
    row = Image.fromarray(to_pixels(np.concatenate(made, axis=2)))
    return row.resize((2 * row.width, 2 * row.height), Image.Resampling.NEAREST)


def paired(records: Path, out: Path) -> dict[str, Any]:
    """Return what pix2pix reaches, a run for each direction."""
    runs = {
        way: trained(replace(PIX2PIX, direction=way), records, out / f"pix2pix-{way}")
        for way in DIRECTIONS
    }
    return {way: measured(run, records, way) for way, run in runs.items()}


def main() -> None:
    """Train what is missing, measure all, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("facades", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only-pairs", action="store_true", help="train pix2pix and stop")
    arguments = parser.parse_args()
    records = records_of(arguments.facades, arguments.out)
    by_pairs = paired(records, arguments.out)
    if arguments.only_pairs:
        return
    results = {
        "command": "python -m benchmarks.cyclegan FACADES OUT",
        "images": "CMP facades, 400 of each domain to train on, 100 pairs held out",
        "directions": DIRECTIONS,
        "size": CYCLEGAN.size, "epochs": EPOCHS,
        "cyclegan": unpaired(records, arguments.out),
        "pix2pix": by_pairs,
    }  # fmt: skip
    picture(records, arguments.out).save(PICTURE, optimize=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
