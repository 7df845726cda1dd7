"""What ships of a finished training: its networks, its log, and its strip over the epochs."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pix2pix_ms.data.facades import Pixels
from pix2pix_ms.exchange.export import export
from pix2pix_ms.training.run import Run

Rows = list[dict[str, Any]]


def joined_log(parts: list[Run]) -> Rows:
    """Return one log of runs that follow each other, epochs and steps counted on."""
    log: Rows = []
    for run in parts:
        with run.log_file.open() as file:
            rows: Rows = list(csv.DictReader(file))
        epochs, steps = (log[-1][name] if log else 0 for name in ("epoch", "step"))
        log += [
            row | {"epoch": int(row["epoch"]) + epochs, "step": int(row["step"]) + steps}
            for row in rows[bool(log) :]  # a later part's epoch 0 is known
        ]
    return log


def write_rows(rows: Rows, file: Path) -> None:
    """Write rows with a head to a .csv."""
    with file.open("w") as opened:
        writer = csv.DictWriter(opened, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def ship(parts: list[Run], file: Path, strip: list[list[Pixels]], enlarged: int = 1) -> None:
    """Write the last part's networks to `file`; beside it log.csv, and epochs.jpg or .png.

    Args:
        parts: of the training, in their order.
        strip: rows of pictures of one size.
        enlarged: how many pixels a side of one of theirs takes; these go to a .png.
    """
    export(parts[-1].folder, file, force=True)
    write_rows(joined_log(parts), file.with_name("log.csv"))
    drawn = Image.fromarray(np.vstack([np.hstack(row) for row in strip]))
    if enlarged == 1:
        drawn.save(file.with_name("epochs.jpg"), quality=88)
        return
    size = enlarged * drawn.width, enlarged * drawn.height
    large = drawn.resize(size, Image.Resampling.NEAREST)
    large.save(file.with_name("epochs.png"), optimize=True)
