"""What ships of a finished training: its networks, its log, and its strip over the epochs."""

from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix_ms.data.facades import Pixels
from pix2pix_ms.exchange.export import export
from pix2pix_ms.training.run import LogRow, Run, log_text


def joined_log(parts: list[Run]) -> list[LogRow]:
    """Return one log of runs that follow each other, epochs and steps counted on."""
    log: list[LogRow] = []
    for run in parts:
        before = {name: log[-1][name] if log else 0 for name in ("epoch", "step")}
        log += [
            row | {name: row[name] + count for name, count in before.items()}
            for row in run.log()[bool(log) :]  # a later part's epoch 0 is known
        ]
    return log


def ship(parts: list[Run], file: Path, strip: list[list[Pixels]], enlarged: int = 1) -> None:
    """Write the last part's networks to `file`; beside it log.csv, and epochs.jpg or .png.

    Args:
        parts: of the training, in their order.
        strip: rows of pictures of one size.
        enlarged: how many pixels a side of one of theirs takes; these go to a .png.
    """
    export(parts[-1].folder, file, force=True)
    file.with_name("log.csv").write_text(log_text(joined_log(parts)))
    drawn = Image.fromarray(np.vstack([np.hstack(row) for row in strip]))
    if enlarged == 1:
        drawn.save(file.with_name("epochs.jpg"), quality=88)
        return
    size = enlarged * drawn.width, enlarged * drawn.height
    large = drawn.resize(size, Image.Resampling.NEAREST)
    large.save(file.with_name("epochs.png"), optimize=True)
