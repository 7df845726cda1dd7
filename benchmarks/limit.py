"""What a step would take were it large matrix products and Adam's memory traffic alone.

The arithmetic is counted as dense convolutions, padding included, and set against the rate of a
large float32 matrix product; Adam must at least read p, g, m and v and write p, m and v. Both
rates are medians measured in turns with the steps, since this machine's speed comes and goes.
"""

import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.task import Task

KERNEL = 4 * 4
ADAM_PASSES = 7  # p, g, m, v in; p, m, v out
FLOAT = 4
Layer = tuple[int, int, int]  # channels in, channels out, positions the kernel is laid on


def generator_layers(task: Task) -> list[Layer]:
    """Return the U-Net's layers, input first."""
    widths = [task.width * min(2**level, 8) for level in range(task.size.bit_length() - 1)]
    sides = [task.size >> (level + 1) for level in range(len(widths))]
    downs = [
        (before, after, side**2)
        for before, after, side in zip([3, *widths], widths, sides, strict=False)
    ]
    ups = [
        (
            widths[level] * (2 if level < len(widths) - 1 else 1),
            widths[level - 1] if level else 3,
            sides[level] ** 2,
        )
        for level in reversed(range(len(widths)))
    ]
    return downs + ups


def discriminator_layers(task: Task) -> list[Layer]:
    """Return the 70x70 PatchGAN's layers, input first."""
    widths = [6, *(task.width * 2**level for level in range(4)), 1]
    sides = [task.size // 2, task.size // 4, task.size // 8]
    sides += [sides[-1] - 1, sides[-1] - 2]
    return [
        (before, after, side**2)
        for (before, after), side in zip(pairwise(widths), sides, strict=True)
    ]


def products(layers: list[Layer]) -> int:
    """Return the multiplications of one forward pass over one image."""
    return sum(KERNEL * before * after * places for before, after, places in layers)


def parameters(task: Task) -> int:
    """Return the numbers of both networks' convolutions; the rest is negligible."""
    layers = generator_layers(task) + discriminator_layers(task)
    return sum(KERNEL * before * after for before, after, _ in layers)


def step_products(task: Task) -> int:
    """Return the multiplications of one step.

    A network that learns costs three forward passes (its own, towards its weights, towards its
    features; the first layer needs no gradient of the image). D learns from two images; G's
    gradient then passes through it once more, its weights at rest.
    """
    g, d = generator_layers(task), discriminator_layers(task)
    learning_g = 3 * products(g) - products(g[:1])
    learning_d = 2 * (3 * products(d) - products(d[:1]))
    # Of the first layer's six input channels only the image's three need a gradient.
    through_d = 2 * products(d) - products(d[:1]) // 2
    return task.batch * (learning_g + learning_d + through_d)


SIDE = 2048  # of the matrices multiplied
MEGABYTES = 256  # copied
LIBRARIES = {"mindspore": "benchmarks.ours", "torch": "benchmarks.pytorch"}


def once(resource: str, _: Task) -> Callable[[], object]:
    """Return one matrix product by a library, or one copy, whatever the task."""
    if resource == "copy":
        return copy()
    library: Any = importlib.import_module(LIBRARIES[resource])
    product: Callable[[], object] = library.product(SIDE)
    return product


def copy(workers: int = 2) -> Callable[[], object]:
    """Return a copy of `MEGABYTES`, shared by threads."""
    arrays = [np.ones(MEGABYTES * 2**20 // FLOAT // workers, np.float32) for _ in range(workers)]
    copies = [np.empty_like(array) for array in arrays]
    pool = ThreadPoolExecutor(workers)
    return lambda: list(pool.map(np.copyto, copies, arrays))


def product_gflops(seconds: float) -> float:
    """Return the rate of products that take so long, in GFLOP/s."""
    return 2 * SIDE**3 / seconds / 1e9


def copy_gigabytes(seconds: float) -> float:
    """Return the memory traffic of copies that take so long in GB/s, read and written."""
    return 2 * MEGABYTES * 2**20 / seconds / 1e9


def seconds(task: Task, gflops: float, gigabytes: float) -> float:
    """Return the least time of one step."""
    arithmetic = 2 * step_products(task) / (gflops * 1e9)
    traffic = ADAM_PASSES * FLOAT * parameters(task) / (gigabytes * 1e9)
    return arithmetic + traffic
