"""Images from noise: labelled batches, how far the set is from held-out images, a grid."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pix2pix_ms.config.family import DCGANConfig, GANConfig, LSGANConfig, WGANConfig
from pix2pix_ms.data.builtin import digits
from pix2pix_ms.data.domain_batches import check_images, every, labelled, plain_images
from pix2pix_ms.data.domains import DomainData
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.family.gan.dcgan import DCGAN
from pix2pix_ms.family.gan.frechet import frechet
from pix2pix_ms.family.gan.gan import GAN, Losses
from pix2pix_ms.family.gan.wgan import WGAN
from pix2pix_ms.family.task import DomainsTask
from pix2pix_ms.machine.ranks import world
from pix2pix_ms.training.figures import image_grid
from pix2pix_ms.training.task import Batch

COMPARED = 500  # held-out images at most, shared among the domains
COLUMNS = 10
CELL_INCHES = 0.7


MODELS: dict[type[GANConfig], type[GAN]] = {
    GANConfig: GAN, DCGANConfig: DCGAN, LSGANConfig: DCGAN, WGANConfig: WGAN,
}  # fmt: skip


def model_of(config: GANConfig) -> GAN:
    """Build the model that settings are of."""
    return MODELS[type(config)](config)


class NoiseTask(DomainsTask):
    """GAN, DCGAN, LSGAN or WGAN on images of labelled domains."""

    losses = Losses._fields
    measures = ("frechet",)
    sample_words = "generated images, where conditional a column for each class"
    decides = ("channels", "classes")
    make = staticmethod(digits)

    @classmethod
    def decided(cls, data: DomainData, config: GANConfig) -> dict[str, Any]:  # noqa: ARG003
        """Return the images' channels, and a class for each domain."""
        return {"channels": data.channels, "classes": len(data.names)}

    def __init__(self, config: GANConfig, data: DomainData) -> None:
        check_images(data, config, config.channels, every(data))
        if config.conditional and config.classes != len(data.names):
            raise Pix2PixError(
                f"classes: expected the {len(data.names)} of the data, found {config.classes}; "
                "leave the setting out"
            )
        self.config, self.data = config, data
        self.model = model_of(config)
        self.real, self.labels = held_out_images(data, config)

    def steps(self) -> int:
        """Return how many batches an epoch has."""
        return every(self.data) // self.config.global_batch

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield (images, labels), float32 [N, C, H, W] and int32 [N]."""
        yield from labelled(self.data, self.config, epoch, world().rank)

    def measure(self) -> tuple[float]:
        """Return the Frechet distance of as many generated images from the held-out ones."""
        generated = self.model.generate(len(self.real), self.labels)
        return (frechet(generated, self.real),)

    def games(self) -> tuple[tuple[str, ...], ...]:
        """Return D's losses; a critic's say nothing of who wins."""
        return () if isinstance(self.config, WGANConfig) else (("d_real", "d_fake"),)

    @property
    def columns_of_grid(self) -> int:
        """Columns of the sample grid: a class each if conditional."""
        config = self.config
        return config.classes if config.conditional else min(COLUMNS, config.samples)

    def generate_samples(self) -> np.ndarray:
        """Return images of the same noise at every epoch, the classes in turn."""
        columns = self.columns_of_grid
        images: np.ndarray = self.model.generate(max(1, self.config.samples // columns) * columns)
        return images

    def sample_grid(self) -> Figure:
        """Show them, a column for each class if conditional."""
        lines = self.samples().reshape(-1, self.columns_of_grid, *self.samples().shape[1:])
        return image_grid(lines, self.data.names if self.config.conditional else (), CELL_INCHES)

    def generated(self) -> list[np.ndarray]:
        """Return them as they are."""
        return [self.samples()]


def held_out_images(data: DomainData, config: GANConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return held-out images and their labels, float32 [N, C, H, W] and int32 [N], at most 500."""
    most = max(1, COMPARED // len(data.held_out))
    found = [
        (image, label)
        for label, domain in enumerate(data.held_out)
        for image in plain_images(domain, config, data.channels, most)
    ]
    images, labels = zip(*found, strict=True)
    return np.concatenate(images), np.array(labels, np.int32)
