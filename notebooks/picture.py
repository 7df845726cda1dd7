"""Make the pictures of the README.

`make picture` runs this: held-out procedural facades as `checkpoints/facades_64.ckpt` sees them,
and the label map one can try `pix2pix-ms translate` on. With the folder of the CMP facades as
argument it makes the strip of real ones: what `checkpoints/facades-256` generates from held-out
label maps, and nothing of the data set itself.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix_ms.data.facades import facade
from pix2pix_ms.data.images import resized
from pix2pix_ms.data.prepare.folders import halves
from pix2pix_ms.pix2pix.translate import Translator
from pix2pix_ms.training.checkpoints import SHIPPED, SHIPPED_GENERATOR, load_generator
from pix2pix_ms.training.figures import image_grid

FOLDER = Path(__file__).parent
PICTURE = FOLDER / "facades.png"
SEEDS = (100_001, 100_004, 100_006, 100_010, 100_012, 100_017)
LABEL_MAP = FOLDER.parent / "data" / "label_map.png"
STRIP = FOLDER / "real_facades.jpg"
HELD_OUT = ("8", "16", "30", "60", "64", "84", "92", "94")  # chosen from the hundred of val


def rows() -> list[list[np.ndarray]]:
    """Return label maps, generated images and the renderings they imitate, a row each."""
    generator, config = load_generator(SHIPPED / "facades_64.ckpt")
    translator = Translator(generator, config)
    pairs = [facade(seed, config.size) for seed in SEEDS]
    generated = [translator.image(pair.label_map) for pair in pairs]
    return [[pair.label_map for pair in pairs], generated, [pair.photo for pair in pairs]]


def label_map() -> np.ndarray:
    """Return a procedural label map for the generator of real facades."""
    return facade(SEEDS[0], 256).label_map


def strip(facades: Path) -> np.ndarray:
    """Return images generated from held-out label maps, the right halves of the split val."""
    generator, config = load_generator(SHIPPED_GENERATOR)
    translator = Translator(generator, config)
    label_maps = [halves(facades / "val" / f"{name}.jpg")[1] for name in HELD_OUT]
    seen = [resized(label_map, *config.shape) for label_map in label_maps]
    generated = [translator.image(picture) for picture in seen]
    half = len(generated) // 2
    return np.vstack([np.hstack(generated[:half]), np.hstack(generated[half:])])


def main() -> None:
    """Write the pictures."""
    if sys.argv[1:]:
        Image.fromarray(strip(Path(sys.argv[1]))).save(STRIP, quality=92)
        return
    image_grid(rows()).savefig(PICTURE)
    Image.fromarray(label_map()).save(LABEL_MAP)


if __name__ == "__main__":
    main()
