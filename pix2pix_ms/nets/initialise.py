"""How weights start (paper, section 6.2: Gaussian with mean 0 and standard deviation 0.02)."""

import math

import numpy as np
from mindspore import Tensor, nn

from pix2pix_ms.config import Config, InitType
from pix2pix_ms.device import Stream, random
from pix2pix_ms.nets.blocks import BatchNorm

GAMMA_DEVIATION = 0.02


def initialise(network: nn.Cell, config: Config) -> None:
    """Set every weight of `network` from the seed; biases to 0, BatchNorm's gamma to N(1, 0.02).

    Each tensor draws from a stream named by its place, on the host: the same start on any device.
    """
    layers = [cell for _, cell in network.cells_and_names()]
    for place, cell in enumerate(layers):
        rng = random(config.seed, Stream.WEIGHTS, name_key(network), place)
        if isinstance(cell, nn.Conv2d | nn.Conv2dTranspose):
            value = weights(cell.weight.shape, config.init_type, config.init_gain, rng)
            cell.weight.set_data(Tensor(value))
            if cell.has_bias:
                cell.bias.set_data(Tensor(np.zeros(cell.bias.shape, np.float32)))
        elif isinstance(cell, BatchNorm):
            gamma = rng.normal(1, GAMMA_DEVIATION, cell.gamma.shape)
            cell.gamma.set_data(Tensor(gamma.astype(np.float32)))


def name_key(network: nn.Cell) -> int:
    """Return a number for the network's class, so that G and D do not start from equal draws."""
    return int.from_bytes(type(network).__name__.encode(), "little") % 2**32


def weights(
    shape: tuple[int, ...], init_type: InitType, gain: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw a convolution's weights, float32 [out, in, k, k] (transposed: [in, out, k, k]).

    `gain` is the deviation of "normal", the gain of "xavier", the value of "constant"; "kaiming"
    does not use it. Fans are counted as PyTorch counts them: axis 1 in, axis 0 out.
    """
    field = math.prod(shape[2:])
    fan_in, fan_out = shape[1] * field, shape[0] * field
    if init_type == "constant":
        return np.full(shape, gain, np.float32)
    deviation = {
        "normal": gain,
        "xavier": gain * math.sqrt(2 / (fan_in + fan_out)),
        "kaiming": math.sqrt(2 / fan_in),
    }[init_type]
    return (rng.standard_normal(shape, dtype=np.float32) * deviation).astype(np.float32)
