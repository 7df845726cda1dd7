"""Ours: the training step and the inference as the package runs them."""

import pix2pix_ms  # noqa: I001  (before mindspore: it prepares the process)

from collections.abc import Callable

import numpy as np

from benchmarks.task import Task
from pix2pix_ms import Config, Pix2Pix, Translator


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
