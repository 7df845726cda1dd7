"""Images from noise: labelled batches, how far the set is from held-out images, a grid."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pix2pix_ms.data.domains import (
    DomainData,
    all_steps,
    check_images,
    domain_data,
    labelled,
    plain_images,
)
from pix2pix_ms.data.embedded import digits
from pix2pix_ms.data.encoding import Recipe
from pix2pix_ms.data.prepare import run_records
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.family.config import GANConfig
from pix2pix_ms.family.gan import GAN, Losses
from pix2pix_ms.figures import image_grid
from pix2pix_ms.frechet import frechet
from pix2pix_ms.tasks.task import Batch, Task

COMPARED = 500  # held-out images at most, shared among the domains
COLUMNS = 10
CELL_INCHES = 0.7


def model_of(config: GANConfig) -> GAN:
    """Build the model a config is of: the class of that name in the file of that name."""
    module = importlib.import_module(f"pix2pix_ms.family.{config.model}")
    model: GAN = getattr(module, config.model.upper())(config)
    return model


class NoiseTask(Task):
    """GAN, DCGAN, LSGAN or WGAN on images of labelled domains."""

    losses = Losses._fields
    measures = ("frechet",)
    sample_words = "generated images, where conditional a column for each class"
    decides = ("channels", "classes")

    @classmethod
    def records(cls, data: Path | None, run: Path, config: GANConfig, resuming: bool) -> Path:
        """Return the records of images a run trains on; without data handwritten digits."""
        return run_records(data, run, config, resuming, digits, Recipe(unpaired=True))

    @classmethod
    def open_data(cls, records: Path, config: GANConfig) -> DomainData:
        """Return the images to train on and to hold out, by domain."""
        return domain_data(records, config.seed)

    @classmethod
    def decided(cls, data: DomainData, config: GANConfig) -> dict[str, Any]:  # noqa: ARG003
        """Return the images' channels, and a class for each domain."""
        return {"channels": data.channels, "classes": len(data.names)}

    def __init__(self, config: GANConfig, data: DomainData) -> None:
        check_images(data, config, config.channels)
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
        return all_steps(self.data, self.config)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield (images, labels), float32 [N, C, H, W] and int32 [N]."""
        yield from labelled(self.data, self.config, epoch)

    def measure(self) -> tuple[float]:
        """Return the Frechet distance of as many generated images from the held-out ones."""
        generated = self.model.generate(len(self.real), self.labels)
        return (frechet(generated, self.real),)

    def sample_grid(self) -> Figure:
        """Show images of the same noise at every epoch, a column for each class if conditional."""
        conditional = self.config.conditional
        columns = self.config.classes if conditional else min(COLUMNS, self.config.samples)
        rows = max(1, self.config.samples // columns)
        images = self.model.generate(rows * columns)  # the classes in turn
        lines = images.reshape(rows, columns, *images.shape[1:])
        return image_grid(lines, self.data.names if conditional else (), CELL_INCHES)


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
