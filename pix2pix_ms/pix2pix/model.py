"""What every model has: networks that are saved, and optimisers that update them."""

from collections.abc import Callable, Iterable
from typing import Any

import mindspore as ms
from mindspore import Tensor, nn

from pix2pix_ms.machine.precision import value_and_gradient
from pix2pix_ms.pix2pix.optimisers import set_rate

Terms = tuple[Tensor, ...]


class Model:
    """Networks and optimisers; a model sets these attributes and has a `train_step`.

    Attributes:
        step: how many training steps were taken.
        saved: all whose parameters a resume needs, such as networks and optimisers.
        inference: those of the networks that translate or generate.
        rates: each optimiser's learning rate, as a multiple of the config's.
    """

    step = 0
    saved: tuple[nn.Cell, ...]
    inference: tuple[nn.Cell, ...]
    rates: dict[nn.Optimizer, float]

    def set_learning_rate(self, rate: float) -> None:
        """Set all optimisers' learning rate, also where the step is already compiled."""
        for optimiser, multiple in self.rates.items():
            set_rate(optimiser, rate * multiple)

    def parameters(self) -> dict[str, ms.Parameter]:
        """Return everything a resume needs, by name."""
        return {p.name: p for cell in self.saved for p in cell.get_parameters()}

    def kept(self) -> Iterable[ms.Parameter]:
        """Return the parameters of the networks that translate or generate."""
        return [p for network in self.inference for p in network.get_parameters()]


def gradient_step(loss: Callable[..., Terms], optimiser: Any) -> Callable[..., Terms]:
    """Return the function that updates an optimiser's weights once with a loss's gradient.

    It takes what `loss` takes. `loss` returns the value to minimise, then the terms to report;
    the function returns those terms.
    """
    gradient = value_and_gradient(loss, optimiser)

    def update(*inputs: Tensor) -> Terms:
        (_, *terms), grads = gradient(*inputs)
        optimiser(grads)
        return tuple(terms)

    return update
