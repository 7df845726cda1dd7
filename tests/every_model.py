"""Two training steps of every model, small, in either mode.

`python -m tests.every_model` runs them as graphs and prints the losses as JSON. With
`MS_DEV_SAVE_GRAPHS=1 MS_DEV_DUMP_IR_PASSES=validate MS_DEV_SAVE_GRAPHS_PATH=FOLDER` MindSpore
writes its graphs to FOLDER as the pass `validate` leaves them: the last before a device's own, so
these are what every device is asked to compute.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import pix2pix_ms  # noqa: F401  (before mindspore: it prepares the process)

from mindspore import Tensor  # isort: skip
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

STEPS = 2
SMALL: dict[str, Any] = {"size": 8, "jitter_size": 8, "batch_size": 2, "ngf": 2}
BOTH: dict[str, Any] = {**SMALL, "ndf": 2}
LABELS = np.arange(2)

CONFIGS: dict[str, Settings] = {
    # Deep enough for a block with dropout.
    "pix2pix": Config(**{**BOTH, "size": 64, "jitter_size": 64}, n_layers=1),
    "pix2pix lsgan l2": Config(
        **BOTH, n_layers=1, norm="instance", gan_mode="lsgan", pixel_loss="l2"
    ),
    "pix2pix wgan-gp": Config(**BOTH, n_layers=1, norm="instance", gan_mode="wgan-gp", skips=False),
    "pix2pix alone": Config(**BOTH, n_layers=0, norm="none", gan_weight=0.0),
    "pix2pix O2": Config(**BOTH, n_layers=1, amp="O2"),
    "pix2pix auto": Config(**BOTH, n_layers=1, amp="auto"),
    "gan": GANConfig(**BOTH, channels=3, conditional=True, gan_mode="minimax"),
    "dcgan": DCGANConfig(**BOTH, conditional=True),
    "lsgan": LSGANConfig(**BOTH),
    "wgan": WGANConfig(**BOTH, gan_mode="wgan", critic_steps=1),
    "wgan-gp": WGANConfig(**BOTH, critic_steps=1),
    "cyclegan": CycleGANConfig(**BOTH, n_blocks=1, n_layers=1, pool_size=2),
    "stargan": StarGANConfig(
        **SMALL, max_filters=4, style_dim=2, mapping_dim=2, latent_dim=2, domains=("a", "b")
    ),
}


def images(seed: int, size: int = 8) -> np.ndarray:
    """Draw two images, float32 [2, 3, size, size] in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, (2, 3, size, size)).astype(np.float32)


def losses_of(config: Any) -> list[list[float]]:
    """Train a new model of these settings and return the losses of every step."""
    a, b, c = (images(seed, config.size) for seed in range(3))
    if isinstance(config, GANConfig):
        model, batch = model_of(config), (a, LABELS)
    elif isinstance(config, StarGANConfig):
        model, batch = StarGAN(config), (a, LABELS, b, c, LABELS[::-1].copy())
    else:
        model, batch = {Config: Pix2Pix, CycleGANConfig: CycleGAN}[type(config)](config), (a, b)
    return [list(model.train_step(*batch)) for _ in range(STEPS)]


def segmenter_losses(jit: bool) -> list[list[float]]:
    """Train a segmenter and return its loss of every step."""
    config = Config(**BOTH, levels=2, dropout=False, jit=jit)
    network = segmenter.Segmenter(config)
    initialise(network, config)
    step = segmenter.training_step(network, adam(network, config), config)
    network.set_train()
    x, wanted = Tensor(images(0)), Tensor(segmenter.one_hot(images(1)))
    return [[float(step(x, wanted))] for _ in range(STEPS)]


def of(config: Settings) -> Callable[[bool], list[list[float]]]:
    """Return the function from a mode to the losses of these settings."""
    return lambda jit: losses_of(replace(config, jit=jit))


MODELS = {name: of(config) for name, config in CONFIGS.items()} | {"segmenter": segmenter_losses}

if __name__ == "__main__":
    print(json.dumps({name: losses(True) for name, losses in MODELS.items()}))
