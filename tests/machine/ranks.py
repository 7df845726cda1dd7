"""One worker of msrun: a few steps of every model on this rank's rows, its weights to a file.

`python tests/machine/ranks.py FOLDER CASE…` under msrun; the same functions, called alone, are one
process that takes whole batches.
"""

import pix2pix_ms  # noqa: I001  (before mindspore: it prepares the process)

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import nn

from pix2pix_ms import Pix2Pix
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.machine import ranks as distributed
from pix2pix_ms.machine.device import choose_device
from pix2pix_ms.pix2pix.optimisers import over
from pix2pix_ms.pix2pix.step import training_step
from tests.every_model import CONFIGS, LABELS, batch, built

assert pix2pix_ms.__version__

BATCH = len(LABELS)  # of all ranks together
SMALL: dict[str, Any] = {"size": 16, "jitter_size": 16, "ngf": 4, "ndf": 4, "n_layers": 1}


def mine(drawn: np.ndarray) -> np.ndarray:
    """Return this rank's rows of what was drawn for all."""
    here = distributed.world()
    return np.split(drawn, here.ranks)[here.rank]


def with_sgd(model: Pix2Pix) -> None:
    """Give pix2pix plain gradient descent in place of Adam, and its step again."""
    for name in ("generator", "discriminator"):
        network = getattr(model, name)
        optimiser = over(network, nn.SGD, replace(model.config, learning_rate=0.01), None)
        setattr(model, f"optim_{name[0]}", optimiser)
    both = (model.generator, model.discriminator, model.optim_g, model.optim_d)
    model._train_step = training_step(*both, model.config)


def trained(
    config: Any,
    steps: int,
    jit: bool = False,
    prepare: Callable[[Any], None] = lambda _: None,
    change: Callable[[int, np.ndarray], np.ndarray] = lambda _, x: x,
) -> np.ndarray:
    """Train as many ranks as there are, which together take a batch of 2.

    Args:
        prepare: is given the new model.
        change: of a step and its first images returns others, this rank's.

    Returns:
        All that a checkpoint would hold, as one vector.
    """
    ranks = distributed.world().ranks
    model = built(replace(config, ranks=ranks, batch_size=BATCH // ranks, jit=jit))
    prepare(model)
    for step in range(steps):
        x, *rest = map(mine, batch(config, step))
        model.train_step(change(step, x), *rest)
    values = [value.asnumpy().astype(np.float32) for value in model.parameters().values()]
    return np.concatenate([value.ravel() for value in values])


def overflowing(step: int, x: np.ndarray) -> np.ndarray:
    """In the second step make images of the first rank alone overflow in half precision."""
    return x * np.float32(1e9) if step == 1 and distributed.world().rank == 0 else x


INSTANCE = Config(**SMALL, norm="instance")
CASES: dict[str, Callable[[], np.ndarray]] = {
    "sgd": lambda: trained(INSTANCE, 8, jit=True, prepare=with_sgd),
    "adam": lambda: trained(INSTANCE, 8),
    "mixed_precision": lambda: trained(replace(INSTANCE, amp="O2"), 3, change=overflowing),
    "cyclegan": lambda: trained(CONFIGS["cyclegan"], 4),
    "stargan": lambda: trained(CONFIGS["stargan"], 2),
    "batch": lambda: trained(Config(**SMALL), 3, prepare=with_sgd),
    "wgan": lambda: trained(CONFIGS["wgan-gp"], 4),
}
SYNCHRONISED = ("batch", "wgan")  # which normalise batches


def main(folder: Path, *names: str) -> None:
    """Run cases as one rank and write the weights it ends with."""
    distributed.launched()
    choose_device("CPU")
    found = {}
    for name in names:
        rank = distributed.join(synchronised=name in SYNCHRONISED).rank
        found[name] = CASES[name]()
    np.savez(folder / f"rank_{rank}.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
