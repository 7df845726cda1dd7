"""What ships of a run of CycleGAN on day and night: `python -m benchmarks.day_night RUN`.

To checkpoints/cyclegan-64 go both generators, the run's log, and `epochs.png`: two houses that no
training has seen, by day and at night, as inputs and as translated after some of its epochs.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix_ms import Translator, load_generator
from pix2pix_ms.config.settings import Direction
from pix2pix_ms.data.builtin import DAY_NIGHT
from pix2pix_ms.data.facades import styled
from pix2pix_ms.exchange.export import export
from pix2pix_ms.training.checkpoints import SHIPPED
from pix2pix_ms.training.run import Run

FOLDER = SHIPPED / "cyclegan-64"
HOUSES: dict[Direction, int] = {"AtoB": 5000, "BtoA": 5003}  # their seeds
STAGES = (2, 4, 8, 16, 24)
ENLARGED = 3


def strip(run: Run) -> Image.Image:
    """Draw a row for each direction: the input, then its translation at every stage."""
    rows = []
    for (direction, seed), look in zip(HOUSES.items(), DAY_NIGHT, strict=True):
        house = styled(seed, run.config().size, look)
        files = [run.generator_file(epoch) for epoch in STAGES]
        made = [Translator(*load_generator(file, direction)).image(house) for file in files]
        rows.append(np.hstack([house, *made]))
    drawn = Image.fromarray(np.vstack(rows))
    return drawn.resize((ENLARGED * drawn.width, ENLARGED * drawn.height), Image.Resampling.NEAREST)


def main() -> None:
    """Export and draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.day_night", description=__doc__)
    parser.add_argument("run", type=lambda folder: Run(Path(folder)))
    run = parser.parse_args().run
    export(run.folder, FOLDER / "generators.safetensors", force=True)
    shutil.copyfile(run.log_file, FOLDER / "log.csv")
    strip(run).save(FOLDER / "epochs.png", optimize=True)


if __name__ == "__main__":
    main()
