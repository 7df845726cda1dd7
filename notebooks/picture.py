"""Make the picture the README opens with: held-out procedural facades, generated.

`make picture` runs this. The generator is the one that ships, `checkpoints/facades_64.ckpt`; the
seeds lie far beyond those it was trained on.
"""

from pathlib import Path

import numpy as np

from pix2pix_ms.checkpoints import load_generator
from pix2pix_ms.data.facades import facade
from pix2pix_ms.figures import image_grid
from pix2pix_ms.translate import Translator

FOLDER = Path(__file__).parent
CHECKPOINT = FOLDER.parent / "checkpoints" / "facades_64.ckpt"
PICTURE = FOLDER / "facades.png"
SEEDS = (100_001, 100_004, 100_006, 100_010, 100_012, 100_017)


def rows() -> list[list[np.ndarray]]:
    """Return label maps, generated images and the renderings they imitate, a row each."""
    generator, config = load_generator(CHECKPOINT)
    translator = Translator(generator, config)
    pairs = [facade(seed, config.size) for seed in SEEDS]
    generated = [translator.image(pair.label_map, index) for index, pair in enumerate(pairs)]
    return [[pair.label_map for pair in pairs], generated, [pair.photo for pair in pairs]]


def main() -> None:
    """Write the picture."""
    image_grid(rows()).savefig(PICTURE)


if __name__ == "__main__":
    main()
