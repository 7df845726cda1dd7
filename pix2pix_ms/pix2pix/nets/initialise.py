"""Initial weights (paper, section 6.2: Gaussian with mean 0 and standard deviation 0.02)."""

import math
import zlib

import numpy as np
from mindspore import Parameter, Tensor, nn

from pix2pix_ms.config.settings import InitType, Settings
from pix2pix_ms.machine.randomness import Stream, random
from pix2pix_ms.pix2pix.nets.blocks import BatchNorm, tensor_over

GAMMA_DEVIATION = 0.02


def initialise(network: nn.Cell, config: Settings) -> None:
    """Set every weight of `network` from the seed; biases to 0, BatchNorm's gamma to N(1, 0.02).

    Drawn on the host, from the seed and the parameter's name: the same on any device.
    """

    def rng(parameter: Parameter) -> np.random.Generator:
        return random(config.seed, Stream.WEIGHTS, zlib.crc32(parameter.name.encode()))

    for _, cell in network.cells_and_names():
        if isinstance(cell, nn.Conv2d | nn.Conv2dTranspose | nn.Dense):
            shape = cell.weight.shape
            value = weights(shape, config.init_type, config.init_gain, rng(cell.weight))
            cell.weight.set_data(tensor_over(value))
            if cell.has_bias:
                cell.bias.set_data(Tensor(np.zeros(cell.bias.shape, np.float32)))
        elif isinstance(cell, BatchNorm):
            gamma = rng(cell.gamma).normal(1, GAMMA_DEVIATION, cell.gamma.shape)
            cell.gamma.set_data(Tensor(gamma.astype(np.float32)))


def weights(
    shape: tuple[int, ...], init_type: InitType, gain: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw a layer's weights, float32 [out, in] or [out, in, k, k] (transposed: [in, out, k, k]).

    `gain` is the deviation of "normal", the gain of "xavier", the value of "constant"; "kaiming"
    does not use it. Fans are counted as in PyTorch: axis 1 in, axis 0 out.
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
