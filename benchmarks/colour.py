"""What ships of a colouriser of photos: `python -m benchmarks.colour RUN [RUN …]`.

The RUNs are the parts of its training, in their order. To checkpoints/colour-128 go the generator,
one log, and `epochs.jpg`: a photo of a temple, which is scikit-learn's, in grey and as it was
coloured at five stages.
"""

import argparse
from pathlib import Path

from sklearn.datasets import load_sample_image

from benchmarks.shipped import ship
from pix2pix_ms import Translator, lightness, load_generator, resized
from pix2pix_ms.data.facades import Pixels
from pix2pix_ms.data.images import channelled
from pix2pix_ms.training.checkpoints import SHIPPED
from pix2pix_ms.training.run import Run

FOLDER = SHIPPED / "colour-128"
STAGES = ((0, 5), (0, 10), (1, 15), (2, 6), (2, 12))  # part of the training, epoch
HEIGHT, WIDTH = 214, 320  # half of the photo's


def strip(parts: list[Run]) -> list[list[Pixels]]:
    """Return the photo in grey, and as coloured at every stage, in two rows."""
    photo = resized(load_sample_image("china.jpg"), HEIGHT, WIDTH)
    files = [parts[part].generator_file(epoch) for part, epoch in STAGES]
    made = [Translator(*load_generator(file)).image(photo) for file in files]
    pictures = [channelled(lightness(photo), 3), *made]
    return [pictures[:3], pictures[3:]]


def main() -> None:
    """Export and draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.colour", description=__doc__)
    parser.add_argument("runs", nargs="+", type=lambda folder: Run(Path(folder)))
    parts = parser.parse_args().runs
    ship(parts, FOLDER / "generator.safetensors", strip(parts))


if __name__ == "__main__":
    main()
