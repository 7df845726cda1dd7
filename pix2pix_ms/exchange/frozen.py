"""A generator prepared for export: fixed size, statistics and dropout."""

import json
from dataclasses import dataclass
from typing import Any

from mindspore import Tensor, nn

from pix2pix_ms import __version__
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.randomness import Stream
from pix2pix_ms.pix2pix.nets.blocks import set_statistics
from pix2pix_ms.pix2pix.translate import STATISTICS, Mode

INPUT, OUTPUT = "input_image", "generated_image"
SMALLEST = 8  # what a ResNet's reflection padding, of a quarter of the image, needs
LARGEST = 2**30  # bytes; MindSpore splits larger files, and protobuf has a limit of 2 GiB


@dataclass(frozen=True)
class Frozen:
    """A generator prepared for export.

    `shape` is that of one input image, (1, C, H, W); `masks` are the dropout masks of every call,
    float32 [1, C', H', W'] each, or none.
    """

    generator: Any
    config: Any
    mode: Mode
    shape: tuple[int, int, int, int]
    masks: tuple[Tensor, ...]
    dropout_seed: int | None

    def facts(self) -> dict[str, str]:
        """Return the metadata for the exported file."""
        return {
            "made_by": f"pix2pix_ms {__version__}",
            "model": self.config.model,
            "direction": self.config.direction,
            "mode": self.mode,
            "height": str(self.shape[2]),
            "width": str(self.shape[3]),
            "layout": "NCHW",
            "value_range": "[-1, 1]",
            "dropout_seed": "off" if self.dropout_seed is None else str(self.dropout_seed),
            "config": json.dumps(json.loads(self.config.to_json())),
        }


class Alone(nn.Cell):
    """A generator with fixed masks: its only input is the image, float32 [1, C, H, W]."""

    def __init__(self, generator: nn.Cell, masks: tuple[Tensor, ...]) -> None:
        super().__init__(auto_prefix=False)  # parameters keep the names of the checkpoint
        self.generator, self.masks = generator, masks

    def construct(self, x: Tensor) -> Tensor:
        return self.generator(x, *self.masks)


def freeze(
    generator: Any,
    config: Any,
    mode: Mode = "paper",
    size: int | None = None,
    height: int | None = None,
    width: int | None = None,
    dropout_seed: int | None = None,
) -> Frozen:
    """Fix the size, the statistics and the dropout of a generator.

    Args:
        mode: "paper": batch statistics; "eval": the moving ones.
        size: side of the images, unless `height` or `width` is given; by default the config's.
        dropout_seed: of the masks, the same for every image, and the same as in `translate` with
            this seed; without it dropout is off.

    Raises:
        Pix2PixError: if the network does not take such images, has no dropout, or is too large.
    """
    tall, wide = height or size or config.shape[0], width or size or config.shape[1]
    check_sides(generator, "height" if height else "size", tall)
    check_sides(generator, "width" if width else "size", wide)
    check_weight(generator)
    shape = (1, config.input_channels, tall, wide)
    masks: tuple[Tensor, ...] = ()
    if dropout_seed is not None:
        masks = generator.masks(shape, dropout_seed, Stream.INFERENCE, 0)
        if not masks:
            raise Pix2PixError(
                "dropout_seed: expected a network with dropout, found one without; leave it out"
            )
    if mode not in STATISTICS:
        raise Pix2PixError(f"mode: expected one of {', '.join(STATISTICS)}, found {mode!r}")
    generator.set_train(False)
    set_statistics(generator, STATISTICS[mode])
    return Frozen(generator, config, mode, shape, masks, dropout_seed)


def check_weight(generator: nn.Cell) -> None:
    """Refuse a network that does not fit in one file."""
    total = sum(4 * int(parameter.size) for parameter in generator.get_parameters())
    if total >= LARGEST:
        raise Pix2PixError(
            f"export: expected float32 weights of less than {LARGEST >> 20} MiB, found "
            f"{total >> 20} MiB; export it as .safetensors"
        )


def check_sides(generator: Any, name: str, side: int) -> None:
    """Refuse a side that the generator cannot halve at each of its levels."""
    step = generator.multiple
    least = max(step, SMALLEST)
    if side < least or side % step:
        near = sorted({max(least, side // step * step), max(least, -(-side // step) * step)})
        raise Pix2PixError(
            f"{name}: expected a multiple of {step} ({' or '.join(map(str, near))}) for this "
            f"network, found {side}; change it"
        )
