"""Mixed precision: networks that compute in half precision, with scaled losses.

Micikevicius et al. 2018: layers compute in 16 bits, in which an accelerator is several times as
fast; weights, their updates and the losses stay in 32. A 16-bit gradient below 6e-8 would be 0, so
the loss is multiplied by a scale before the gradient is taken, and the gradient divided by it
before the update. If a gradient overflows, the step is skipped and the scale halved.
"""

from collections.abc import Callable, Mapping
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, amp, nn, ops

from pix2pix_ms.config.settings import Settings
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.ranks import Mean, world

FIRST_SCALE = 2.0**16
FACTOR = 2  # the scale is halved by an overflow
WINDOW = 2000  # and doubled after so many steps without one
SCALE, SKIPPED = "loss_scale", "skipped_updates"

Terms = tuple[Tensor, ...]


def mixed(network: nn.Cell, config: Settings) -> Any:
    """Return a network for the training step to call: float32 in, float32 out.

    With `amp` O0 that is the network itself. Otherwise its layers are changed in place to compute
    in half precision, with weights and statistics in float32:

    O2: all but normalisation, which computes in float32 and returns halves.
    O3: normalisation too has halves for input and output.
    auto: operator by operator: convolutions and products in half, exponents, logarithms and
        normalisation in float32, the others in the type of their inputs.

    Raises:
        Pix2PixError: if the type is bfloat16 and the device is not an Ascend: a CPU has no such
            convolution (MindSpore 2.8), and on a GPU it is untested.
    """
    if config.amp == "O0":
        return network
    device, dtype = ms.get_context("device_target"), getattr(ms, config.amp_dtype)
    if dtype == ms.bfloat16 and device != "Ascend":
        raise Pix2PixError(
            f"amp_dtype: expected float16 on a {device}, found bfloat16, which is for Ascend; "
            "leave it out, or compute on an Ascend"
        )
    if config.amp == "O2":
        norms = {type(cell) for _, cell in network.cells_and_names() if hasattr(cell, "in_float32")}
        full = [*amp.get_black_list(), *norms]
        return amp.custom_mixed_precision(network, black_list=full, dtype=dtype)
    half = amp.auto_mixed_precision(network, config.amp, dtype)

    def in_float32(*inputs: Tensor) -> Tensor:
        return ops.cast(half(*inputs), ms.float32)

    return in_float32


class LossScaled(nn.Cell):
    """An optimiser for scaled losses: it unscales gradients, and skips a step that overflowed.

    Its own state is named after the optimiser's and belongs in a checkpoint.

    Args:
        optimiser: updates the weights, given their gradients.
        scale: the first scale of the loss.
    """

    def __init__(self, optimiser: nn.Optimizer, scale: float) -> None:
        super().__init__(auto_prefix=False)
        self.optimiser = optimiser
        self.mean = Mean() if world().ranks > 1 else nn.Identity()
        self.scaler = amp.DynamicLossScaler(scale, FACTOR, WINDOW)
        prefix = optimiser.learning_rate.name.rpartition(".")[0]
        self.loss_scale, self.counter = self.scaler.scale_value, self.scaler.counter
        self.skipped = ms.Parameter(Tensor(0, ms.int32), requires_grad=False)
        for entry, name in (
            (self.loss_scale, SCALE), (self.counter, "steps_at_scale"), (self.skipped, SKIPPED),
        ):  # fmt: skip
            entry.name = f"{prefix}.{name}"

    @property
    def parameters(self) -> tuple[ms.Parameter, ...]:
        """The weights it updates, in the order of their gradients."""
        return self.optimiser.parameters

    @property
    def learning_rate(self) -> ms.Parameter:
        return self.optimiser.learning_rate

    def scale(self, loss: Tensor) -> Tensor:
        """Return the loss to differentiate, a float32 scalar."""
        return self.scaler.scale(loss)

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        """Update the weights with the gradients of a scaled loss, or skip the step.

        Returns:
            Whether it updated; of None a graph makes a tensor of unknown shape (MindSpore 2.8).
        """
        unscaled = self.scaler.unscale(self.mean(gradients))
        finite = amp.all_finite(unscaled)
        if finite:
            self.optimiser(unscaled)
        else:
            ops.assign_add(self.skipped, 1)
        self.scaler.adjust(finite)
        return finite


def loss_scaled(optimiser: nn.Optimizer, config: Settings) -> Any:
    """Wrap an optimiser for mixed precision; with `amp` O0 return it as it is.

    bfloat16 has the range of float32: its losses need no scale, and start with 1.
    """
    if config.amp == "O0":
        return optimiser
    return LossScaled(optimiser, FIRST_SCALE if config.amp_dtype == "float16" else 1.0)


def gradient_step(loss: Callable[..., Terms], optimiser: Any) -> Callable[..., Terms]:
    """Return the function that updates an optimiser's weights once with a loss's gradient.

    `loss` returns the value to minimise, then the terms to report. The function takes the arguments
    of `loss` and returns these terms, which are never scaled.
    """

    def scaled(*inputs: Tensor) -> Terms:
        values = loss(*inputs)
        return optimiser.scale(values[0]), *values[1:]

    minimised = scaled if isinstance(optimiser, LossScaled) else loss
    gradient = ms.value_and_grad(minimised, None, optimiser.parameters, has_aux=True)

    def update(*inputs: Tensor) -> Terms:
        (_, *terms), grads = gradient(*inputs)
        optimiser(grads)
        return tuple(terms)

    return update


def array_of(tensor: Tensor) -> np.ndarray:
    """Return a tensor of any precision as a float32 array: NumPy has no bfloat16."""
    return (tensor if tensor.dtype == ms.float32 else tensor.astype(ms.float32)).asnumpy()


def accounting(parameters: Mapping[str, ms.Parameter]) -> dict[str, float]:
    """Return the log's columns on mixed precision: skipped updates so far, the smallest scale.

    Args:
        parameters: a model's, with those of its optimisers. Without mixed precision there are no
            such columns.
    """
    found: dict[str, list[float]] = {SKIPPED: [], SCALE: []}
    for name, value in parameters.items():
        if (column := name.rpartition(".")[2]) in found:
            found[column].append(float(value.asnumpy()))
    if not found[SCALE]:
        return {}
    return {SKIPPED: int(sum(found[SKIPPED])), SCALE: min(found[SCALE])}


def account(row: Mapping[str, float]) -> str:
    """Return these columns of a row as text; without mixed precision, none."""
    if SCALE not in row:
        return ""
    return f"  skipped {row[SKIPPED]:.0f} updates, loss scale {row[SCALE]:.0f}"
