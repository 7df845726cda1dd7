"""What ships of a finished run: its networks, its log, and its strip over the epochs."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix_ms.data.facades import Pixels
from pix2pix_ms.exchange.export import export
from pix2pix_ms.training.run import Run


def ship(run: Run, file: Path, strip: list[list[Pixels]], enlarged: int = 1) -> None:
    """Write the networks to `file`; beside it log.csv, and epochs.jpg or, of small ones, .png.

    Args:
        strip: rows of pictures of one size.
        enlarged: how many pixels a side of one of theirs takes.
    """
    export(run.folder, file, force=True)
    shutil.copyfile(run.log_file, file.with_name("log.csv"))
    drawn = Image.fromarray(np.vstack([np.hstack(row) for row in strip]))
    if enlarged == 1:
        drawn.save(file.with_name("epochs.jpg"), quality=88)
        return
    size = enlarged * drawn.width, enlarged * drawn.height
    large = drawn.resize(size, Image.Resampling.NEAREST)
    large.save(file.with_name("epochs.png"), optimize=True)
