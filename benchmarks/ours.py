"""Ours: the training step and the inference as the package runs them."""

import pix2pix_ms  # noqa: I001  (before mindspore: it prepares the process)

from collections.abc import Callable

import mindspore as ms
import numpy as np
from mindspore import Tensor, ops

from benchmarks.task import Task
from pix2pix_ms import Config, Pix2Pix, Translator, UNet
from pix2pix_ms.pix2pix.nets.initialise import initialise


def config_of(task: Task) -> Config:
    """Return the paper's recipe at the task's size and width."""
    return pix2pix_ms.preset(
        "paper", size=task.size, jitter_size=task.size, ngf=task.width, ndf=task.width,
        batch_size=task.batch,
    )  # fmt: skip


def train(task: Task) -> Callable[[], object]:
    """Return the training step on one batch."""
    model = Pix2Pix(config_of(task))
    x, y = task.images()
    return lambda: model.train_step(x, y)


def infer(task: Task) -> Callable[[], np.ndarray]:
    """Return the translation of one batch, dropout off as the peers have it."""
    config = config_of(task)
    generator = UNet(config)
    initialise(generator, config)
    translator = Translator(generator, config, "eval")
    x, _ = task.images()
    return lambda: translator(x)


def product(side: int) -> Callable[[], object]:
    """Return a float32 matrix product of this side, complete when the call returns."""
    a = Tensor(np.ones((side, side), np.float32))
    multiply = ms.jit(matmul)
    return lambda: multiply(a, a)


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Multiply."""
    return ops.matmul(a, b)
