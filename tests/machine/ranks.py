"""One worker of msrun: a few steps of every model on this rank's rows, its weights to a file.

`python tests/machine/ranks.py FOLDER CASE…` under msrun; the same functions, called alone, are one
process that takes whole batches.
"""

import pix2pix_ms  # noqa: I001  (before mindspore: it prepares the process)

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import nn

from pix2pix_ms.machine import ranks as distributed

from pix2pix_ms import Pix2Pix
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.machine.device import choose_device
from pix2pix_ms.config.family import CycleGANConfig, StarGANConfig, WGANConfig
from pix2pix_ms.family.cyclegan.step import CycleGAN
from pix2pix_ms.family.stargan.step import StarGAN
from pix2pix_ms.family.gan.wgan import WGAN
from pix2pix_ms.machine.ranks import launched
from pix2pix_ms.pix2pix.optimisers import over
from pix2pix_ms.pix2pix.step import training_step
from pix2pix_ms.config.settings import Settings

assert pix2pix_ms.__version__

BATCH = 2  # of all ranks together
SMALL: dict[str, Any] = {"size": 16, "jitter_size": 16, "ngf": 4, "ndf": 4, "n_layers": 1}


def among_ranks(kind: type[Settings], **settings: Any) -> Any:
    """Return settings of as many ranks as there are, which together take a batch of 2."""
    ranks = distributed.world().ranks
    return kind(ranks=ranks, batch_size=BATCH // ranks, **settings)


def mine(drawn: np.ndarray) -> np.ndarray:
    """Return this rank's rows of what was drawn for all."""
    here = distributed.world()
    return np.split(drawn, here.ranks)[here.rank]


def images(config: Settings, step: int, channels: int = 3) -> np.ndarray:
    """Draw a step's images for all ranks and return this rank's, float32 [N, C, H, W]."""
    shape = (BATCH, channels, *config.shape)
    drawn = np.random.default_rng(step).uniform(-1, 1, shape).astype(np.float32)
    return mine(drawn)


def labels(step: int, classes: int) -> np.ndarray:
    """Draw a step's labels likewise, int [N]."""
    drawn = np.random.default_rng((step, 1)).integers(classes, size=BATCH)
    return mine(drawn)


def weights(parameters: Sequence[Any]) -> np.ndarray:
    """Return parameters as one vector."""
    return np.concatenate([p.asnumpy().astype(np.float32).ravel() for p in parameters])


def after(model: Any, steps: int, batch: Callable[[int], tuple[np.ndarray, ...]]) -> np.ndarray:
    """Train a few steps and return all that a checkpoint would hold."""
    for step in range(steps):
        model.train_step(*batch(step))
    return weights(list(model.parameters().values()))


def with_sgd(model: Pix2Pix) -> Pix2Pix:
    """Give pix2pix plain gradient descent in place of Adam, and its step again."""
    for name in ("generator", "discriminator"):
        network = getattr(model, name)
        optimiser = over(network, nn.SGD, replace(model.config, learning_rate=0.01), None)
        setattr(model, f"optim_{name[0]}", optimiser)
    both = (model.generator, model.discriminator, model.optim_g, model.optim_d)
    model._train_step = training_step(*both, model.config)
    return model


def pix2pix(steps: int, sgd: bool = False, **settings: Any) -> np.ndarray:
    config = among_ranks(Config, **SMALL, **settings)
    model = Pix2Pix(config)
    model = with_sgd(model) if sgd else model
    return after(model, steps, lambda step: (images(config, step), images(config, -step - 1 & 999)))


def mixed_precision() -> np.ndarray:
    """In half precision, where an image of the first rank alone overflows in the second step."""
    config = among_ranks(Config, **SMALL, norm="instance", amp="O2", jit=False)

    def batch(step: int) -> tuple[np.ndarray, ...]:
        x, y = images(config, step), images(config, step + 500)
        if step == 1 and distributed.world().rank == 0:
            x[0] *= 1e9
        return x, y

    return after(Pix2Pix(config), 3, batch)


def wgan() -> np.ndarray:
    small: dict[str, Any] = {"size": 8, "jitter_size": 8, "ngf": 4, "ndf": 4, "channels": 1}
    config = among_ranks(WGANConfig, **small, critic_steps=2, jit=False)
    return after(WGAN(config), 4, lambda step: (images(config, step, 1), labels(step, 10)))


def cyclegan() -> np.ndarray:
    config = among_ranks(CycleGANConfig, **SMALL, n_blocks=1, pool_size=3, jit=False)
    return after(
        CycleGAN(config), 4, lambda step: (images(config, step), images(config, step + 500))
    )


def stargan() -> np.ndarray:
    small: dict[str, Any] = {
        "size": 8, "jitter_size": 8, "ngf": 4, "max_filters": 4, "style_dim": 4, "mapping_dim": 4,
    }  # fmt: skip
    config = among_ranks(StarGANConfig, **small, domains=("one", "other"), jit=False)

    def batch(step: int) -> tuple[np.ndarray, ...]:
        x, one, other = (images(config, step + part) for part in (0, 100, 200))
        return x, labels(step, 2), one, other, labels(step + 100, 2)

    return after(StarGAN(config), 2, batch)


CASES: dict[str, Callable[[], np.ndarray]] = {
    "sgd": lambda: pix2pix(8, sgd=True, norm="instance"),
    "adam": lambda: pix2pix(8, norm="instance", jit=False),
    "mixed_precision": mixed_precision,
    "cyclegan": cyclegan,
    "stargan": stargan,
    "batch": lambda: pix2pix(3, sgd=True, norm="batch", jit=False),
    "wgan": wgan,
}
SYNCHRONISED = ("batch", "wgan")  # which normalise batches


def main(folder: Path, *names: str) -> None:
    """Run cases as one rank and write the weights it ends with."""
    launched()
    choose_device("CPU")
    found = {}
    for name in names:
        rank = distributed.join(synchronised=name in SYNCHRONISED).rank
        found[name] = CASES[name]()
    np.savez(folder / f"rank_{rank}.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
