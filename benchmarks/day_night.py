"""What ships of a run of CycleGAN on day and night: `python -m benchmarks.day_night RUN`.

To checkpoints/cyclegan-64 go both generators, the run's log, and `epochs.png`: two houses that no
training has seen, by day and at night, as inputs and as translated after some of its epochs.
"""

import argparse
from pathlib import Path

from benchmarks.shipped import ship
from pix2pix_ms import Translator, load_generator
from pix2pix_ms.config.settings import Direction
from pix2pix_ms.data.builtin import DAY_NIGHT
from pix2pix_ms.data.facades import Pixels, styled
from pix2pix_ms.training.checkpoints import SHIPPED
from pix2pix_ms.training.run import Run

FOLDER = SHIPPED / "cyclegan-64"
HOUSES: dict[Direction, int] = {"AtoB": 5000, "BtoA": 5003}  # their seeds
STAGES = (2, 4, 8, 16, 24)
ENLARGED = 3


def strip(run: Run) -> list[list[Pixels]]:
    """Return a row for each direction: the input, then its translation at every stage."""
    rows = []
    for (direction, seed), look in zip(HOUSES.items(), DAY_NIGHT, strict=True):
        house = styled(seed, run.config().size, look)
        files = [run.generator_file(epoch) for epoch in STAGES]
        made = [Translator(*load_generator(file, direction)).image(house) for file in files]
        rows.append([house, *made])
    return rows


def main() -> None:
    """Export and draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.day_night", description=__doc__)
    parser.add_argument("run", type=lambda folder: Run(Path(folder)))
    run = parser.parse_args().run
    ship([run], FOLDER / "generators.safetensors", strip(run), ENLARGED)


if __name__ == "__main__":
    main()
