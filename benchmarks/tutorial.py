"""The peer on the same MindSpore: the step of its published pix2pix tutorial.

Written anew from what that tutorial does, which is not what the paper does: both networks are left
in inference (no `set_train`, so batch normalisation uses its moving statistics and dropout is
off), and the generator runs once for each of the two gradients.
"""

import pix2pix_ms  # noqa: I001  (the guard, so that it is not measured at its worst)

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import mindspore as ms
from mindspore import Tensor, nn, ops

from benchmarks.task import Task

assert pix2pix_ms.__version__
Mode = Literal["pynative", "graph"]


def conv(before: int, after: int, stride: int = 2, bias: bool = False) -> nn.Conv2d:
    """4x4 convolution."""
    return nn.Conv2d(before, after, 4, stride, pad_mode="pad", padding=1, has_bias=bias)


class Block(nn.Cell):
    """One level of the U-Net and all below it, as nested sequential cells."""

    def __init__(self, outer: int, inner: int, below: nn.Cell | None, outermost: bool) -> None:
        super().__init__()
        down = [conv(3 if outermost else outer, inner)]
        up_in = inner if below is None else 2 * inner
        up: list[nn.Cell] = [
            nn.ReLU(),
            nn.Conv2dTranspose(up_in, outer, 4, 2, pad_mode="pad", padding=1),
        ]
        if outermost:
            up += [nn.Tanh()]
        else:
            down = [nn.LeakyReLU(0.2), *down]
            up += [nn.BatchNorm2d(outer)]
            if below is not None:
                down += [nn.BatchNorm2d(inner)]
        self.model = nn.SequentialCell([*down, *([below] if below is not None else []), *up])
        self.skips = not outermost

    def construct(self, x: Tensor) -> Tensor:
        """Run this level; all but the outermost return their input too."""
        out = self.model(x)
        return ops.cat((out, x), 1) if self.skips else out


def generator(size: int, width: int) -> Block:
    """Return the U-Net down to one pixel."""
    widths = [width * min(2**level, 8) for level in range(size.bit_length() - 1)]
    block = None
    for outer, inner in reversed(list(pairwise(widths))):
        block = Block(outer, inner, block, outermost=False)
    return Block(3, width, block, outermost=True)


class Discriminator(nn.Cell):
    """The 70x70 PatchGAN."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Cell] = [conv(6, width), nn.LeakyReLU(0.2)]
        for level, stride in ((1, 2), (2, 2), (3, 1)):
            after = width * 2**level
            layers += [conv(after // 2, after, stride), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
        self.features = nn.SequentialCell([*layers, conv(8 * width, 1, 1)])

    def construct(self, x: Tensor, y: Tensor) -> Tensor:
        """Judge the pair."""
        return self.features(ops.cat((x, y), 1))


def train(mode: Mode, task: Task) -> Callable[[], object]:
    """Return the tutorial's step."""
    if mode == "graph":
        ms.set_context(mode=ms.GRAPH_MODE)
    g, d = generator(task.size, task.width), Discriminator(task.width)
    entropy, distance = nn.BCEWithLogitsLoss(), nn.L1Loss()
    optim_g = nn.Adam(g.trainable_params(), 2e-4, beta1=0.5, beta2=0.999)
    optim_d = nn.Adam(d.trainable_params(), 2e-4, beta1=0.5, beta2=0.999)
    optim_g.update_parameters_name("optim_g.")
    optim_d.update_parameters_name("optim_d.")

    def loss_d(x: Tensor, y: Tensor) -> Tensor:
        fake, real = d(x, g(x)), d(x, y)
        return 0.5 * (entropy(real, ops.ones_like(real)) + entropy(fake, ops.zeros_like(fake)))

    def loss_g(x: Tensor, y: Tensor) -> Tensor:
        generated = g(x)
        fake = d(x, generated)
        return 0.5 * entropy(fake, ops.ones_like(fake)) + 100 * distance(generated, y)

    gradient_d = ms.value_and_grad(loss_d, None, d.trainable_params())
    gradient_g = ms.value_and_grad(loss_g, None, g.trainable_params())
    x, y = map(Tensor, task.images())

    def step() -> object:
        value_d, towards_d = gradient_d(x, y)
        value_g, towards_g = gradient_g(x, y)
        optim_d(towards_d)
        optim_g(towards_g)
        return float(value_d.asnumpy()), float(value_g.asnumpy())

    return step


def infer(mode: Mode, task: Task) -> Callable[[], object]:
    """Return the translation of one batch."""
    if mode == "graph":
        ms.set_context(mode=ms.GRAPH_MODE)
    g = generator(task.size, task.width)
    x = Tensor(task.images()[0])
    return lambda: g(x).asnumpy()
