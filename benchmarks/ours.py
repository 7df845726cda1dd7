"""Ours: the training step and the inference as the package runs them."""

import pix2pix_ms  # noqa: I001  (before mindspore: it prepares the process)

import time
from collections.abc import Callable

import mindspore as ms
import numpy as np
from mindspore import Tensor, ops

from benchmarks.task import Task
from pix2pix_ms import Config, Pix2Pix, Translator
from pix2pix_ms.device import Patient


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
    translator = Translator(Pix2Pix(config).generator, config, "eval")
    x, _ = task.images()
    return lambda: translator(x)


def gemm_gflops(side: int = 2048) -> Callable[[], float]:
    """Return a measurement of this machine's float32 matrix products, in GFLOP/s."""
    a, b = Tensor(np.ones((side, side), np.float32)), Tensor(np.ones((side, side), np.float32))
    product = Patient(ms.jit(multiply))

    def rate() -> float:
        began = time.perf_counter()
        product(a, b)
        return 2 * side**3 / (time.perf_counter() - began) / 1e9

    return rate


def multiply(a: Tensor, b: Tensor) -> tuple[Tensor]:
    """Return one element of the product: to copy it all would count against the rate."""
    return (ops.matmul(a, b).max(),)
