"""Images in, images out: the generator at work on files (paper, section 3.3, inference)."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import mindspore as ms
import numpy as np
from mindspore import Tensor
from PIL import Image

from pix2pix_ms.checkpoints import load_generator
from pix2pix_ms.config import Config
from pix2pix_ms.data.images import Pixels, read_image
from pix2pix_ms.data.pairs import halves, images_in
from pix2pix_ms.data.pipeline import NETWORK_COLUMNS, Subset, plain_data
from pix2pix_ms.data.records import rows_of, to_pixels
from pix2pix_ms.device import Stream
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.interrupt import interruptible
from pix2pix_ms.nets.blocks import Statistics, set_statistics
from pix2pix_ms.nets.unet import UNet

Mode = Literal["paper", "eval"]
Triple = tuple[np.ndarray, np.ndarray, np.ndarray]  # input, generated, target: [3, H, W] each
STATISTICS: dict[Mode, Statistics] = {"paper": "batch", "eval": "moving"}


class Translator:
    """The generator as a function of an image, in one of two modes.

    "paper" runs it as it was trained: the statistics of the image at hand, dropout on (its noise
    decided by the seed and the image's index). "eval" uses the moving statistics and no dropout.
    Neither changes the network, so a training can be interrupted for it.
    """

    def __init__(self, generator: UNet, config: Config, mode: Mode = "paper") -> None:
        if mode not in STATISTICS:
            raise Pix2PixError(f"mode: expected one of paper, eval, found {mode!r}")
        self.generator, self.config, self.mode = generator, config, mode

        def forward(x: Tensor, *masks: Tensor) -> Tensor:
            return generator(x, *masks)

        # A function of this translator's own, because a compiled one keeps the mode it was
        # compiled in.
        self.forward = ms.jit(forward) if config.jit else forward

    def __call__(self, x: np.ndarray, index: int = 0) -> np.ndarray:
        """Return G(x), float32 [N, 3, H, W] in [-1, 1], for x of the same shape and range."""
        masks: tuple[Tensor, ...] = ()
        if self.mode == "paper":
            place = (x.shape[0], x.shape[-1], self.config.seed, Stream.INFERENCE, index)
            masks = self.generator.masks(*place)
        self.generator.set_train(False)
        set_statistics(self.generator, STATISTICS[self.mode])
        with interruptible():
            return self.forward(Tensor(x), *masks).asnumpy()

    def image(self, image: Pixels, index: int = 0) -> Pixels:
        """Translate one picture, uint8 [H, W, 3], to uint8 [size, size, 3]."""
        x = to_network(image, self.config.size)
        return to_pixels(self(x[None], index)[0])


def triples(translator: Translator, pairs: Subset) -> Iterator[Triple]:
    """Yield (input, generated, target) of every pair, float32 [3, size, size] in [-1, 1]."""
    rows = rows_of(plain_data(pairs, translator.config), pairs.record.path)
    for index, row in enumerate(rows):
        yield row["x"][0], translator(row["x"], index)[0], row["y"][0]


def to_network(image: Pixels, size: int) -> np.ndarray:
    """Resize a picture to a square and scale it: uint8 [H, W, 3] to float32 [3, size, size]."""
    square = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)
    return np.moveaxis(np.asarray(square, np.float32) / 127.5 - 1, -1, 0)


def translate(
    inputs: Iterable[Path],
    out: Path,
    checkpoint: Path,
    mode: Mode = "paper",
    side_by_side: bool = False,
    pairs: bool = False,
) -> list[Path]:
    """Translate images, or all images of folders, to PNG files of the same names in `out`.

    Args:
        checkpoint: as `checkpoints.file_of` takes it.
        side_by_side: put the input image to the left of the generated one.
        pairs: the inputs are side-by-side pairs; take the half the network was trained to read.

    Raises:
        Pix2PixError: if an input or the checkpoint cannot be read, or two would have one name.
    """
    sources = input_files(inputs)
    generator, config = load_generator(checkpoint)
    translator = Translator(generator, config, mode)
    images = [input_image(source, config, pairs) for source in sources]
    written = [out / f"{source.stem}.png" for source in sources]
    refuse_to_overwrite(sources, written)
    out.mkdir(parents=True, exist_ok=True)
    for index, (path, image) in enumerate(zip(written, images, strict=True)):
        generated = translator.image(image, index)
        if side_by_side:
            square = Image.fromarray(image).resize((config.size, config.size))
            generated = np.hstack([np.asarray(square), generated])
        Image.fromarray(generated).save(path)
    return written


def refuse_to_overwrite(sources: Iterable[Path], written: Iterable[Path]) -> None:
    """Refuse to write a generated image over an input."""
    lost = {path.resolve() for path in written} & {source.resolve() for source in sources}
    for path in sorted(lost):
        raise Pix2PixError(f"{path}: expected a new file to write, found an input; change --out")


def input_files(inputs: Iterable[Path]) -> list[Path]:
    """List the images named or found in the folders named, each with a name of its own."""
    sources = []
    for place in inputs:
        found = images_in(place) if place.is_dir() else [place]
        if not found:
            raise Pix2PixError(f"{place}: expected images in this folder, found none")
        sources += found
    seen: dict[str, Path] = {}
    for source in sources:
        if source.stem in seen:
            raise Pix2PixError(
                f"{source}: expected one input called {source.stem}, found also "
                f"{seen[source.stem]}; translate them into different folders"
            )
        seen[source.stem] = source
    return sources


def input_image(source: Path, config: Config, pairs: bool) -> Pixels:
    """Read the picture the network is to see."""
    if not pairs:
        return read_image(source)
    return halves(source)[NETWORK_COLUMNS[config.direction].index("x")]
