"""Translation between domains: the averaged networks, applied to images of any size."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn
from numpy.typing import ArrayLike

from pix2pix_ms.config.family import StarGANConfig
from pix2pix_ms.config.settings import Direction, Fit
from pix2pix_ms.data.images import Pixels, channelled, fitted, from_pixels, read_image, to_pixels
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.family.stargan.generator import StyledGenerator
from pix2pix_ms.family.stargan.networks import MappingNetwork, StyleEncoder
from pix2pix_ms.machine import files
from pix2pix_ms.machine.randomness import Stream, random
from pix2pix_ms.pix2pix.optimisers import move_average
from pix2pix_ms.pix2pix.translate import Mode, Seed, Style, View, forward, unfitted, view_of
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.task import parameters_of

SHIPPED = files.SHIPPED / "stargan-64"


class Averages:
    """Moving averages of the weights of G, F and E, which make better images than the last ones.

    Args:
        trained: G, F and E, whose weights the averages start from and follow; without them the
            averages are to be loaded.
    """

    def __init__(self, config: StarGANConfig, trained: Iterable[nn.Cell] = ()) -> None:
        self.config = config
        self.networks = StyledGenerator(config), MappingNetwork(config), StyleEncoder(config)
        for network in self.networks:
            network.update_parameters_name(checkpoints.AVERAGE)
            network.set_train(False)
        self.weights = list(parameters_of(trained).values())
        self.averages = list(self.parameters().values()) if self.weights else []
        for average, weight in zip(self.averages, self.weights, strict=True):
            average.set_data(weight.value().copy())
        self._generate, self._from_latent, self._from_image = (
            forward(network, config) for network in self.networks
        )

    def follow(self) -> Tensor:
        """Move every average a little towards the trained weight."""
        return move_average(self.averages, self.weights, self.config.ema)

    def parameters(self) -> dict[str, ms.Parameter]:
        return parameters_of(self.networks)

    def generate(self, x: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Return images x, float32 [N, 3, H, W] in [-1, 1], in styles [N, style_dim]; clipped."""
        return np.clip(self._generate(Tensor(x), Tensor(style)).asnumpy(), -1, 1)

    def style_of(self, reference: np.ndarray, domain: ArrayLike) -> np.ndarray:
        """Return the style codes, [N, style_dim], of images [N, 3, H, W] of a domain, int [N]."""
        return self._from_image(Tensor(reference), one_hot(domain, self.config)).asnumpy()

    def style_from(self, latent: np.ndarray, domain: ArrayLike) -> np.ndarray:
        """Return style codes, [N, style_dim], made of latent codes, float32 [N, latent_dim]."""
        return self._from_latent(Tensor(latent), one_hot(domain, self.config)).asnumpy()


class StyleTranslator:
    """The averaged networks as a function of an image, to one domain in one style.

    Args:
        domain: its name.
        reference: an image of that domain, uint8 [H, W, C], whose style to use.
        seed: draws a style if there is no reference; "each": one for every image, from the config's
            seed and the image's index.

    Raises:
        Pix2PixError: if there is no such domain.
    """

    def __init__(
        self, averages: Averages, domain: str, reference: Pixels | None = None, seed: Seed = 0
    ) -> None:
        config = averages.config
        if domain not in config.domains:
            raise Pix2PixError(
                f"domain: expected one of {', '.join(config.domains)}, found {domain!r}"
            )
        self.averages, self.config = averages, config
        self.number = config.domains.index(domain)
        self.style: np.ndarray | None = None
        if reference is not None:
            self.style = averages.style_of(self.network_input(reference, "resize"), [self.number])
        elif seed != "each":
            self.style = self.draw_style(seed)

    def draw_style(self, seed: int, *position: int) -> np.ndarray:
        """Return the style code, [1, style_dim], of a latent code drawn at this position."""
        rng = random(seed, Stream.INFERENCE, self.number, *position)
        latent = rng.standard_normal((1, self.config.latent_dim), np.float32)
        return self.averages.style_from(latent, [self.number])

    def network_input(self, image: Pixels, fit: Fit) -> np.ndarray:
        """Return an image as the networks take it, float32 [1, 3, H, W]."""
        image = channelled(image, self.config.channels)
        return from_pixels(fitted(image, self.config.shape, fit))[None]

    def check(self, fit: View | None, _: object) -> None:
        """Refuse a way that its pictures cannot be fitted."""
        fit_of(fit, self.config)

    def image(self, image: Pixels, index: int = 0, fit: View | None = None) -> Pixels:
        """Translate an image, uint8 [H, W, C], to RGB of the same height and width.

        `fit` is as for `Translator.image`, but for "whole".
        """
        squeezed = fit_of(fit, self.config)
        style = self.draw_style(self.config.seed, index) if self.style is None else self.style
        generated = self.averages.generate(self.network_input(image, squeezed), style)[0]
        return to_pixels(unfitted(generated, image.shape[:2], squeezed))


def fit_of(fit: View | None, config: Any) -> Literal["resize", "pad"]:
    """Return how pictures are fitted; raise Pix2PixError for a way that styles do not have."""
    fit = view_of(fit, config)
    if fit == "whole":
        raise Pix2PixError(f"fit: expected resize or pad for {config.model}, found {fit}")
    return fit


def load_averages(place: Path) -> Averages:
    """Return the averaged networks of a checkpoint, as `checkpoints.file_of` finds it.

    Raises:
        Pix2PixError: if it cannot be read, is of another model, or does not have them.
    """
    path = checkpoints.file_of(place)
    found, config, _ = checkpoints.load(path)
    if not isinstance(config, StarGANConfig):
        raise Pix2PixError(f"{path}: expected networks of stargan, found {config.model}")
    return averages_of(found, config, path)


def style_translator(
    found: Mapping[str, ms.Parameter], config: StarGANConfig, path: Path, mode: Mode | None,
    direction: Direction | None, style: Style | None, **noise: Any,
) -> StyleTranslator:  # fmt: skip
    """Return the translator of a checkpoint's parameters.

    Raises:
        Pix2PixError: if no style is given, or an option that has no effect for StarGAN.
    """
    if style is None:
        raise Pix2PixError(
            f"{path}: expected a domain to translate to, one of {', '.join(config.domains)}, "
            "found none; give it with --domain"
        )
    useless = {
        "direction": direction is not None,
        "mode": mode is not None,
        "no-dropout": not noise["dropout"],
        "seed": noise["seed"] is not None and style.reference is not None,
    }
    if name := next((name for name, given in useless.items() if given), None):
        raise Pix2PixError(
            f"{path}: expected no --{name}: StarGAN has neither directions, moving statistics nor "
            f"dropout, and a reference decides the style; leave --{name} out"
        )
    reference = read_image(style.reference, config.channels) if style.reference else None
    averages = averages_of(found, config, path)
    return StyleTranslator(averages, style.domain, reference, noise["seed"] or 0)


def averages_of(found: Mapping[str, ms.Parameter], config: StarGANConfig, path: Path) -> Averages:
    """Return the averaged networks of a loaded checkpoint; raises as `load_averages`."""
    averages = Averages(config)
    checkpoints.fill(averages.parameters(), found, path, (config, config))
    return averages


def one_hot(domain: ArrayLike, config: StarGANConfig) -> Tensor:
    """Return domains by number, int [N], as one-hot, float32 [N, K]."""
    return Tensor(np.eye(len(config.domains), dtype=np.float32)[np.asarray(domain)])
