"""Training steps of every model, small, compiled or not.

`python -m tests.every_model FILE` compiles them, and stores losses and parameters in FILE. With
`MS_DEV_SAVE_GRAPHS=1 MS_DEV_DUMP_IR_PASSES=validate MS_DEV_SAVE_GRAPHS_PATH=FOLDER` MindSpore
writes its graphs to FOLDER as the pass `validate` leaves them: the last before a device's own, so
these are what every device is asked to compute.
"""

import sys
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

import pix2pix_ms  # noqa: F401  (before mindspore: it prepares the process)

from mindspore import Tensor, ops  # isort: skip
from pix2pix_ms.config.family import (
    CycleGANConfig,
    DCGANConfig,
    GANConfig,
    LSGANConfig,
    StarGANConfig,
    WGANConfig,
)
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.config.settings import Settings
from pix2pix_ms.family.cyclegan.step import CycleGAN
from pix2pix_ms.family.gan.task import model_of
from pix2pix_ms.family.stargan.step import StarGAN
from pix2pix_ms.pix2pix.measures import segmenter
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.optimisers import adam
from pix2pix_ms.pix2pix.step import Pix2Pix

STEPS, HALF = 4, 2
SMALL: dict[str, Any] = {"size": 8, "jitter_size": 8, "batch_size": 2, "ngf": 2}
BOTH: dict[str, Any] = {**SMALL, "ndf": 2}
LABELS = np.arange(2)
SEGMENTER = "segmenter"

CONFIGS: dict[str, Settings] = {
    # Deep enough for a block with dropout.
    "pix2pix": Config(**{**BOTH, "size": 64, "jitter_size": 64}, n_layers=1),
    "pix2pix lsgan l2": Config(
        **BOTH, n_layers=1, norm="instance", gan_mode="lsgan", pixel_loss="l2", ema=0.9
    ),
    "pix2pix wgan-gp": Config(**BOTH, n_layers=1, norm="instance", gan_mode="wgan-gp", skips=False),
    "pix2pix alone": Config(**BOTH, n_layers=0, norm="none", gan_weight=0.0),
    "pix2pix resnet": Config(
        **{**BOTH, "size": 16, "jitter_size": 16}, n_layers=1, generator="resnet", n_blocks=1
    ),
    "pix2pix O2": Config(**BOTH, n_layers=1, amp="O2"),
    "pix2pix auto": Config(**BOTH, n_layers=1, amp="auto"),
    "gan": GANConfig(**BOTH, channels=3, conditional=True, gan_mode="minimax"),
    "dcgan": DCGANConfig(**BOTH, conditional=True),
    "lsgan": LSGANConfig(**BOTH),
    # Between two steps of the generator when half of the steps are done.
    "wgan": WGANConfig(**BOTH, gan_mode="wgan", critic_steps=3),
    "wgan-gp": WGANConfig(**BOTH, conditional=True, critic_steps=3),
    "cyclegan": CycleGANConfig(**BOTH, n_blocks=1, n_layers=1, pool_size=2),
    "stargan": StarGANConfig(
        **SMALL, max_filters=4, style_dim=2, mapping_dim=2, latent_dim=2, domains=("a", "b")
    ),
}
MODELS = (*CONFIGS, SEGMENTER)


def images(seed: int | tuple[int, ...], size: int = 8) -> np.ndarray:
    """Draw two images, float32 [2, 3, size, size] in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, (2, 3, size, size)).astype(np.float32)


def built(config: Any) -> Any:
    """Build the model that settings are of."""
    kinds: dict[type, Any] = {Config: Pix2Pix, CycleGANConfig: CycleGAN, StarGANConfig: StarGAN}
    return kinds.get(type(config), model_of)(config)


def batch(config: Any, step: int) -> tuple[np.ndarray, ...]:
    """Draw what a model's step takes."""
    a, b, c = (images((step, part), config.size) for part in range(3))
    if isinstance(config, GANConfig):
        return a, LABELS
    if isinstance(config, StarGANConfig):
        return a, LABELS, b, c, LABELS[::-1].copy()
    return a, b


def losses(model: Any, first: int = 0, end: int = STEPS) -> list[list[float]]:
    """Train a model for some steps and return the losses of each."""
    return [list(model.train_step(*batch(model.config, step))) for step in range(first, end)]


def values(model: Any) -> dict[str, np.ndarray]:
    """Return all that a checkpoint would store, by name."""
    return {name: value.asnumpy().copy() for name, value in model.parameters().items()}


def restore(model: Any, found: dict[str, np.ndarray], step: int) -> None:
    """Put a model back to the values it had after a step."""
    for name, value in model.parameters().items():
        ops.assign(value, Tensor(found[name]))
    model.step = step


def segmenter_losses(jit: bool) -> list[list[float]]:
    """Train a segmenter and return its loss of every step."""
    config = Config(**BOTH, levels=2, dropout=False, jit=jit)
    network = segmenter.Segmenter(config)
    initialise(network, config)
    step = segmenter.training_step(network, adam(network, config), config)
    network.set_train()
    x, wanted = Tensor(images(0)), Tensor(segmenter.one_hot(images(1)))
    return [[float(loss) for loss in step(x, wanted)] for _ in range(STEPS)]


@cache
def plain(name: str) -> dict[str, np.ndarray]:
    """Train a new model that is not compiled; return `losses` and what it has come to."""
    if name == SEGMENTER:
        return {"losses": np.array(segmenter_losses(jit=False))}
    model = built(replace(CONFIGS[name], jit=False))
    return {"losses": np.array(losses(model))} | values(model)


def compiled(name: str) -> dict[str, np.ndarray]:
    """Train a compiled model likewise; then go back to the middle, and do the rest `again`."""
    if name == SEGMENTER:
        return {"losses": np.array(segmenter_losses(jit=True))}
    model = built(replace(CONFIGS[name], jit=True))
    first, middle = losses(model, end=HALF), values(model)
    found = {"losses": np.array(first + losses(model, HALF))} | values(model)
    restore(model, middle, HALF)
    again = {"losses": np.array(first + losses(model, HALF))} | values(model)
    return found | {f"again/{key}": value for key, value in again.items()}


if __name__ == "__main__":
    every = {f"{name}/{key}": v for name in MODELS for key, v in compiled(name).items()}
    np.savez(sys.argv[1], **every)
