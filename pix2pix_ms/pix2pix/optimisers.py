"""Adam, RMSProp, and moving averages of weights."""

from collections.abc import Sequence
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from pix2pix_ms.config.settings import Settings
from pix2pix_ms.machine.precision import loss_scaled
from pix2pix_ms.machine.ranks import averaging
from pix2pix_ms.pix2pix.nets.blocks import tensor_over

DECAY, EPSILON = 0.99, 1e-8  # RMSProp's


def adam(
    network: nn.Cell, config: Settings, name: str | None = None, weight_decay: float = 0.0
) -> nn.Optimizer:
    """Return Adam over a network, with the learning rate, beta1 and beta2 of the config.

    Args:
        name: as for `over`.
        weight_decay: as an L2 penalty, added to the gradient.
    """
    optimiser = over(network, nn.Adam, config, name, beta2=config.beta2, weight_decay=weight_decay)
    # Set afterwards because `nn.Adam` refuses 0, which its kernel computes (MindSpore 2.7 to 2.10).
    optimiser.beta1 = Tensor(config.beta1, ms.float32)
    for moment in (*optimiser.moment1, *optimiser.moment2):
        zeros = np.full(moment.shape, 0, np.float32)  # filled: `np.zeros` requests no huge pages
        moment.set_data(tensor_over(zeros))
    return loss_scaled(optimiser, config)


def rmsprop(network: nn.Cell, config: Settings, name: str | None = None) -> nn.Optimizer:
    """Return RMSProp over a network, with the learning rate of the config; `name` as for `over`."""
    return loss_scaled(over(network, RMSProp, config, name), config)


def over(
    network: nn.Cell, kind: type[nn.Optimizer], config: Settings, name: str | None, **rates: float
) -> Any:
    """Return an optimiser of a network's weights that averages the ranks' gradients.

    Its weights are in reverse order, last layer first: in a graph each layer's gradient is then
    computed, used and freed before the next (MindSpore 2.8).

    Args:
        name: prefix of its parameters' names; unless given, the network's class.
    """
    # In mixed precision `LossScaled` averages, so that all ranks skip a step or none.
    averaged = averaging(kind) if config.amp == "O0" else kind
    optimiser = averaged(network.trainable_params()[::-1], config.learning_rate, **rates)
    weights = {parameter.name for parameter in network.get_parameters()}
    for parameter in optimiser.get_parameters():
        if parameter.name not in weights:
            parameter.name = f"{name or type(network).__name__.lower()}.{parameter.name}"
    return optimiser


class RMSProp(nn.Optimizer):
    """RMSProp as in PyTorch, with which WGAN was published: decay 0.99, mean square from 0.

    With `nn.RMSProp` a resumed WGAN differs from an uninterrupted one in its last bits on a CPU
    (MindSpore 2.8).
    """

    def __init__(self, weights: Sequence[ms.Parameter], learning_rate: float) -> None:
        super().__init__(learning_rate, weights)
        self.squares = self._parameters.clone(prefix="mean_square", init="zeros")

    def construct(self, gradients: tuple[Tensor, ...]) -> None:
        rate = self.get_lr()
        for weight, square, gradient in zip(  # noqa: B905  (a graph knows no `strict`)
            self._parameters, self.squares, gradients
        ):
            mean_square = DECAY * square + (1 - DECAY) * gradient * gradient
            ops.assign(square, mean_square)
            ops.assign(weight, weight - rate * gradient / (ops.sqrt(mean_square) + EPSILON))


def move_average(
    average: Sequence[ms.Parameter], weights: Sequence[ms.Parameter], decay: Any
) -> Tensor:
    """Update an exponential moving average of weights, with a decay in [0, 1]."""
    for place in range(len(average)):  # a graph knows no strict zip (MindSpore 2.8)
        ops.assign(average[place], weights[place] + decay * (average[place] - weights[place]))
    return Tensor(0)
