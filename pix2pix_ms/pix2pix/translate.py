"""Images in, images out: the generator at work on files (paper, section 3.3, inference)."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from mindspore import Tensor, nn
from PIL import Image
from tqdm import tqdm

from pix2pix_ms.config.models import MODELS, imported
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.config.settings import Direction, Fit, Settings, check_choice
from pix2pix_ms.data.images import (
    Header,
    Pixels,
    channelled,
    fitted,
    from_pixels,
    header,
    read_image,
    resized,
    shown,
    to_image,
    to_pixels,
    window,
)
from pix2pix_ms.data.lab import coloured, lab_of, lightness
from pix2pix_ms.data.pair_batches import NETWORK_COLUMNS, Subset, plain_data
from pix2pix_ms.data.prepare.folders import check_halves, halves, nested, some
from pix2pix_ms.data.records import rows_of
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.files import appearing_whole, check_new
from pix2pix_ms.machine.precision import array_of
from pix2pix_ms.machine.randomness import Stream
from pix2pix_ms.machine.signals import compiled
from pix2pix_ms.pix2pix.nets.blocks import Statistics, set_statistics
from pix2pix_ms.pix2pix.nets.resnet import ResNet
from pix2pix_ms.pix2pix.nets.unet import UNet
from pix2pix_ms.training.checkpoints import file_of, generator_of, load

Mode = Literal["paper", "eval"]
Seed = int | Literal["each"]  # of masks or a style: one for all images, or one for each
Triple = tuple[np.ndarray, np.ndarray, np.ndarray]  # input, generated, target: [C, H, W] each
View = Literal["resize", "pad", "whole"]  # how a network sees a picture; none cuts a part off
# Bytes that translating a whole picture takes for each pixel, by ngf (MindSpore 2.8 on a CPU).
BYTES = {UNet: 16, ResNet: 41}
MEMORY = 8 << 30  # bytes that it may take
STATISTICS: dict[Mode, Statistics] = {"paper": "batch", "eval": "moving"}


class Style(NamedTuple):
    """What StarGAN turns images into: a domain, in the style of a reference or a random one."""

    domain: str
    reference: Path | None = None


def forward(network: nn.Cell, config: Settings) -> Callable[..., Any]:
    """Return a network's forward pass, compiled in the mode of its first call."""

    def run(*inputs: Tensor) -> Tensor:
        return network(*inputs)

    return compiled(run, config)


class Translator:
    """The generator as a function of an image, in one of two modes; neither changes the network.

    "paper" runs it as in training: batch statistics, dropout on. "eval" uses the moving statistics
    and no dropout.

    Args:
        seed: of the dropout masks, the same for every image; unless given, that of the config.
            "each": masks for each image, from the config's seed and the image's index.
        dropout: False: "paper" without dropout.

    Raises:
        Pix2PixError: if there is no such mode, or `seed` or `dropout` is given but would change
            nothing.
    """

    def __init__(
        self, generator: UNet | ResNet, config: Config, mode: Mode = "paper",
        seed: Seed | None = None, dropout: bool = True,
    ) -> None:  # fmt: skip
        if mode not in STATISTICS:
            raise Pix2PixError(f"mode: expected one of paper, eval, found {mode!r}")
        noisy = mode == "paper" and generator.dropped > 0
        self.dropout, self.masks = noisy and dropout, lru_cache(1)(generator.masks)
        if (seed is not None and not self.dropout) or not (dropout or noisy):
            name = "no-dropout" if seed is None else "seed"
            raise Pix2PixError(
                f"{name}: expected a network with dropout, in mode paper, found none; "
                f"leave --{name} out"
            )
        self.generator, self.config, self.mode = generator, config, mode
        self.seed, self.each = seed if isinstance(seed, int) else config.seed, seed == "each"

        self.forward = forward(generator, config)

    def __call__(self, x: np.ndarray, index: int = 0) -> np.ndarray:
        """Return G(x), float32 [N, C', H, W] in [-1, 1], for x [N, C, H, W] of the same range."""
        images, place = (x.shape, index) if self.each else ((1, *x.shape[1:]), 0)
        masks = self.masks(images, self.seed, Stream.INFERENCE, place) if self.dropout else ()
        self.generator.set_train(False)
        set_statistics(self.generator, STATISTICS[self.mode])
        return array_of(self.forward(Tensor(x), *masks))

    def image(self, image: Pixels, index: int = 0, fit: View | None = None) -> Pixels:
        """Translate one picture, uint8 [H, W, C], to one of the same height and width.

        `fit`, "resize" or "pad", brings it to the network's size and the generated image back;
        "whole" runs the network on all of it, mirrored beyond its edges to sides that it can halve.
        Unless given, it is as in training: "pad" after padded or cropped pictures, "whole" after
        random crops. A network that colours keeps the picture's lightness and returns RGB.

        Raises:
            Pix2PixError: if there is no such fit, or the whole picture takes too much memory.
        """
        config, lab = self.config, self.config.colours == "lab"
        fit = view_of(fit, config)
        seen = lightness(image) if lab else channelled(image, config.input_channels)
        seen = self.whole(seen) if fit == "whole" else fitted(seen, config.shape, fit)
        generated = unfitted(self(from_pixels(seen)[None], index)[0], image.shape[:2], fit)
        return to_pixels(coloured(lab_of(image)[:1], generated) if lab else generated)

    def whole(self, image: Pixels) -> Pixels:
        """Mirror a picture beyond its right and lower edge, to sides that the network can halve."""
        height, width = image.shape[:2]
        tall, wide = self.whole_shape(height, width)
        return np.pad(image, ((0, tall - height), (0, wide - width), (0, 0)), "symmetric")

    def whole_shape(self, height: int, width: int) -> tuple[int, int]:
        """Return the shape of a whole picture as the network sees it; refuse one too large."""
        multiple, least = self.generator.multiple, self.generator.least
        tall, wide = (max(-(-side // multiple) * multiple, least) for side in (height, width))
        most = MEMORY // (BYTES[type(self.generator)] * self.config.ngf)
        if tall * wide > most:
            raise Pix2PixError(
                f"fit: expected at most {most / 1e6:.1f} million pixels for this network with "
                f"whole, found {width}x{height}; shrink the picture, or leave --fit whole out"
            )
        return tall, wide

    def check(self, fit: View | None, head: Header) -> None:
        """Refuse a picture that cannot be translated so, before it is read."""
        if view_of(fit, self.config) == "whole":
            self.whole_shape(head.height, head.width)


def view_of(fit: View | None, config: Settings) -> View:
    """Return how a network sees pictures: as given, or as in training.

    Raises:
        Pix2PixError: if there is no such way.
    """
    trained: dict[Fit, View] = {"resize": "resize", "random-crop": "whole"}
    fit = fit or trained.get(config.fit, "pad")
    check_choice("fit", View, fit)
    return fit


def unfitted(generated: np.ndarray, shape: tuple[int, ...], fit: View) -> np.ndarray:
    """Bring a generated image, float32 [C, h, w], back to its input's (height, width), bicubic."""
    height, width = shape
    if fit == "whole":
        generated = generated[:, :height, :width]
    if fit == "pad":
        (tall, wide), (top, left) = window((height, width), generated.shape[1:])
        generated = generated[:, top : top + tall, left : left + wide]
    if generated.shape[1:] != (height, width):
        resizing = (width, height), Image.Resampling.BICUBIC
        generated = np.stack([np.asarray(Image.fromarray(p).resize(*resizing)) for p in generated])
    return generated.clip(-1, 1)  # bicubic overshoots at edges


def triples(translator: Translator, pairs: Subset) -> Iterator[Triple]:
    """Yield (input, generated, target) of every pair as pictures, float32 [C, H, W] in [-1, 1].

    H and W are the network's; if it colours, generated and target are RGB.
    """
    rows = rows_of(plain_data(pairs, translator.config), pairs.record.path)
    for index, row in enumerate(rows):
        x, generated, y = row["x"][0], translator(row["x"], index)[0], row["y"][0]
        if translator.config.colours == "lab":
            generated, y = coloured(x, generated), coloured(x, y)
        yield x, generated, y


def to_network(image: Pixels, shape: tuple[int, int]) -> np.ndarray:
    """Resize to (height, width) and scale: uint8 [H, W, C] to float32 [C, height, width]."""
    return from_pixels(resized(image, *shape))


def translate(
    inputs: Iterable[Path], out: Path, checkpoint: Path, mode: Mode | None = None,
    side_by_side: bool = False, pairs: bool = False, fit: View | None = None,
    direction: Direction | None = None, style: Style | None = None, seed: Seed | None = None,
    dropout: bool = True, force: bool = False, report: Callable[[str], None] = lambda _: None,
) -> list[Path]:  # fmt: skip
    """Translate images, or all images in folders, to PNG files of equal names and sizes in `out`.

    Of a folder without images, those of its subfolders, which are kept.

    Args:
        checkpoint: as `checkpoints.file_of` takes it.
        mode: as `Translator` takes it, by default "paper"; StarGAN has none.
        side_by_side: put the input image to the left of the generated one.
        pairs: the inputs are side-by-side pairs; translate the input half of each.
        fit: as `Translator.image` takes it.
        direction: which of CycleGAN's two generators; unless given, that of its config.
        style: for StarGAN, the domain to translate to.
        seed, dropout: as `Translator` takes them; StarGAN's seed draws the style.
        force: replace existing files.
        report: called with a line if what the network generated was enlarged.

    Raises:
        Pix2PixError: if something cannot be read or has no effect, or a file exists.
    """
    sources = input_files(inputs)
    translator = open_translator(checkpoint, mode, direction, style, seed=seed, dropout=dropout)
    if pairs and style is not None:
        raise Pix2PixError("pairs: expected single images for another domain; leave --pairs out")
    heads = dict(readable(sources.values(), pairs))
    for head in heads.values():
        translator.check(fit, head)
    check_new(*(out / name for name in sources), force=force, inputs=sources.values())
    out.mkdir(parents=True, exist_ok=True)
    bar = tqdm(sources.items(), "images", unit="image", disable=None, leave=False)
    for index, (name, source) in enumerate(bar):
        image = input_image(source, translator.config, pairs)
        generated = translator.image(image, index, fit)
        pictures = [shown(image), shown(generated)] if side_by_side else [generated]
        with appearing_whole(out / name) as writing:
            to_image(np.hstack(pictures)).save(writing, "PNG")
    if isinstance(translator, Translator) and view_of(fit, translator.config) != "whole":
        report_enlarged(heads, translator.config, pairs, report)
    return [out / name for name in sources]


def report_enlarged(
    heads: Mapping[Path, Header], config: Config, pairs: bool, report: Callable[[str], None]
) -> None:
    """Say which inputs have more pixels than the network has generated, if any."""
    height, width = config.shape
    most = height * width * (1 + pairs)
    larger = [source for source, head in heads.items() if head.width * head.height > most]
    if larger:
        report(
            f"{some(larger)}: larger than the {width}x{height} that the network sees, so what it "
            "generated was enlarged; --fit whole runs it on all pixels"
        )


def open_translator(
    checkpoint: Path, mode: Mode | None, direction: Direction | None, style: Style | None,
    **noise: Any,
) -> Any:  # fmt: skip
    """Return the translator of a checkpoint, with a `config` and `image(picture, index, fit)`.

    Raises:
        Pix2PixError: if the checkpoint cannot be read, or an option does not suit its model.
    """
    path = file_of(checkpoint)
    found, config, _ = load(path)
    if (opener := MODELS[config.model].opener) is not None:
        return imported(opener)(found, config, path, mode, direction, style, **noise)
    if style is not None:
        raise Pix2PixError(
            f"{path}: expected a network with domains, as stargan trains, found one of "
            f"{config.model}; leave --domain out"
        )
    return Translator(*generator_of(found, config, path, direction), mode or "paper", **noise)


def input_files(inputs: Iterable[Path]) -> dict[Path, Path]:
    """Return the files among the inputs, and those in folders, by where their outputs go."""
    sources: dict[Path, Path] = {}
    for place in inputs:
        found = nested(place)[0] if place.is_dir() else [place]
        if not found:
            raise Pix2PixError(f"{place}: expected images in this folder, found none")
        for source in found:
            folder = source.parent.relative_to(place) if place.is_dir() else Path()
            name = folder / f"{unicodedata.normalize('NFC', source.stem)}.png"
            if name in sources:
                raise Pix2PixError(
                    f"{source}: expected one input called {name.with_suffix('')}, found also "
                    f"{sources[name]}; translate them into different folders"
                )
            sources[name] = source
    return sources


def readable(sources: Iterable[Path], pairs: bool) -> Iterator[tuple[Path, Header]]:
    """Yield inputs and their headers; raise Pix2PixError for one that is no image, or no pair."""
    for source in sources:
        head = header(source)
        if pairs:
            check_halves(source, head.width, head.height, any_width=True)
        yield source, head


def input_image(source: Path, config: Config, pairs: bool) -> Pixels:
    """Read an input image, or the input half of a pair."""
    if not pairs:
        return read_image(source, config.input_channels if config.colours == "rgb" else 3)
    if config.colours == "lab":
        raise Pix2PixError(
            f"{source}: expected a photo to colour, found the option --pairs; leave it out"
        )
    both = halves(source, config.input_channels, any_width=True)
    return both[NETWORK_COLUMNS[config.direction].index("x")]
