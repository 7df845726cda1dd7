"""Images from noise: labelled batches, the distance to held-out images, a sample grid."""

import numpy as np
from matplotlib.figure import Figure

from pix2pix_ms.config.family import DCGANConfig, GANConfig, LSGANConfig, WGANConfig
from pix2pix_ms.data.builtin import digits
from pix2pix_ms.data.domain_batches import labelled
from pix2pix_ms.data.domains import DomainData
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.family.gan.dcgan import DCGAN
from pix2pix_ms.family.gan.frechet import frechet
from pix2pix_ms.family.gan.gan import GAN, Losses
from pix2pix_ms.family.gan.wgan import WGAN
from pix2pix_ms.family.task import DomainsTask
from pix2pix_ms.training.figures import image_grid

COMPARED = 500  # held-out images at most, of all domains together
COLUMNS = 10
CELL_INCHES = 0.7

MODELS: dict[type[GANConfig], type[GAN]] = {
    GANConfig: GAN, DCGANConfig: DCGAN, LSGANConfig: DCGAN, WGANConfig: WGAN,
}  # fmt: skip


def model_of(config: GANConfig) -> GAN:
    return MODELS[type(config)](config)


class NoiseTask(DomainsTask):
    """GAN, DCGAN, LSGAN or WGAN on images of labelled domains."""

    losses = Losses._fields
    measures = ("frechet",)
    sample_words = "generated images, where conditional a column for each class"
    decides = ("channels", "classes")
    make = staticmethod(digits)
    epoch_batches = staticmethod(labelled)

    def __init__(self, config: GANConfig, data: DomainData) -> None:
        super().__init__(config, data)
        if config.conditional and config.classes != len(data.names):
            raise Pix2PixError(
                f"classes: expected the {len(data.names)} of the data, found {config.classes}; "
                "leave the setting out"
            )
        self.model = model_of(config)
        labels = range(len(data.names))
        most = max(1, COMPARED // len(labels))
        real = [(image, label) for label in labels for image in self.held_out(label, most)]
        self.real = np.concatenate([image for image, _ in real])
        self.labels = np.array([label for _, label in real], np.int32)

    def measure(self) -> tuple[float]:
        """Return the Frechet distance of as many generated images to the held-out ones."""
        generated = self.model.generate(len(self.real), self.labels)
        return (frechet(generated, self.real),)

    def games(self) -> tuple[tuple[str, ...], ...]:
        # A critic's losses do not tell who wins.
        return () if isinstance(self.config, WGANConfig) else (("d_real", "d_fake"),)

    def generate_samples(self) -> np.ndarray:
        """Return rows of images of the same noise every epoch; conditional, a column each class."""
        config = self.config
        columns = config.classes if config.conditional else min(COLUMNS, config.samples)
        rows = max(1, config.samples // columns)
        images = self.model.generate(rows * columns)  # the classes in turn
        return images.reshape(rows, columns, *images.shape[1:])

    def sample_grid(self) -> Figure:
        names = self.data.names if self.config.conditional else ()
        return image_grid(self.samples(), names, CELL_INCHES)

    def generated(self) -> list[np.ndarray]:
        return [np.concatenate(self.samples())]
