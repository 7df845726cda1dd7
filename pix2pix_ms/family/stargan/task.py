"""StarGAN v2 and its domains: images with references, diversity and cycle on held-out images."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from pix2pix_ms.config.family import StarGANConfig
from pix2pix_ms.data.builtin import styled_facades
from pix2pix_ms.data.domain_batches import check_images, every, plain_images, with_references
from pix2pix_ms.data.domains import DomainData
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.family.stargan.step import Losses, StarGAN
from pix2pix_ms.family.stargan.translate import CHANNELS
from pix2pix_ms.family.task import DomainsTask
from pix2pix_ms.machine.randomness import Stream, random
from pix2pix_ms.machine.ranks import world
from pix2pix_ms.pix2pix.measures.scores import distance
from pix2pix_ms.training.figures import image_grid
from pix2pix_ms.training.task import Batch, Panels

MOST_MEASURED = 16  # held-out images of a domain


class Measures(NamedTuple):
    """What a run is measured by: mean L1 of float32 images in [-1, 1], 0 to 2 each.

    Diversity: between two images made of one source with two latent codes, larger being better.
    Cycle: between a source and its return from another domain with its own style.
    """

    diversity: float
    cycle: float


class StylesTask(DomainsTask):
    """StarGAN v2 on the domains of a record of images; by default facades in three looks."""

    losses = Losses._fields
    measures = Measures._fields
    sample_words = "sources above, references on the left, each source in each reference's style"
    decides = ("domains",)
    make = staticmethod(styled_facades)

    @classmethod
    def decided(cls, data: DomainData, config: StarGANConfig) -> dict[str, Any]:  # noqa: ARG003
        """Return the domains' names."""
        return {"domains": data.names}

    def __init__(self, config: StarGANConfig, data: DomainData) -> None:
        if config.domains != data.names:
            raise Pix2PixError(
                f"domains: expected {', '.join(data.names)} as the data have, found "
                f"{', '.join(config.domains) or 'none'}; change the setting or give other data"
            )
        check_images(data, config, CHANNELS, every(data))
        self.config, self.data = config, data
        self.model = StarGAN(config)

    def begin_epoch(self, epoch: int) -> None:
        """Set the learning rate, and the diversity loss's weight, which falls to 0."""
        super().begin_epoch(epoch)
        self.model.diversity_weight = self.config.diversity_at(max(epoch, 1))

    def steps(self) -> int:
        """Return how many batches an epoch has."""
        return every(self.data) // self.config.global_batch

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield (x, its domain, two references, their domain)."""
        yield from with_references(self.data, self.config, epoch, world().rank)

    def measure(self) -> Measures:
        """Translate held-out images, each to one other domain, twice and back."""
        averages, count = self.model.averages, len(self.config.domains)
        rows = []
        for own, domain in enumerate(self.data.held_out):
            images = plain_images(domain, self.config, CHANNELS, MOST_MEASURED)
            for number, x in enumerate(images):
                target = np.array([(own + 1 + number % max(count - 1, 1)) % count])
                rng = random(self.config.seed, Stream.INFERENCE, own, number)
                shape = (2, 1, self.config.latent_dim)
                one, other = (
                    averages.generate(x, averages.style_from(z, target))
                    for z in rng.standard_normal(shape, np.float32)
                )
                back = averages.generate(one, averages.style_of(x, np.array([own])))
                rows.append([distance(one, other), distance(back, x)])
        return Measures(*np.mean(rows, axis=0).tolist())

    def games(self) -> tuple[tuple[str, ...], ...]:
        """Return D's losses, with styles from noise and from references."""
        return (("d_latent", "d_reference"),)

    def generate_samples(self) -> list[list[np.ndarray]]:
        """Return held-out sources above, references of each domain left, and what comes of both."""
        firsts = [
            list(plain_images(domain, self.config, CHANNELS, self.config.samples + 1))
            for domain in self.data.held_out
        ]
        sources = [some[place % len(some)] for place, some in self.turns(firsts)]
        averages = self.model.averages
        rows = [[np.ones_like(sources[0][0]), *(source[0] for source in sources)]]
        for number, some in enumerate(firsts):
            style = averages.style_of(some[-1], np.array([number]))
            rows.append([some[-1][0], *(averages.generate(x, style)[0] for x in sources)])
        return rows

    def turns(self, domains: list[list[np.ndarray]]) -> Iterator[tuple[int, list[np.ndarray]]]:
        """Take the domains in turn, as many times as the grid has sources."""
        for number in range(self.config.samples):
            place, domain = divmod(number, len(domains))
            yield place, domains[domain]

    def sample_grid(self) -> Figure:
        """Show those rows."""
        rows = self.samples()
        return image_grid(rows, ["reference", *["source"] * (len(rows[0]) - 1)])

    def generated(self) -> list[np.ndarray]:
        """Return the sources in each reference's style."""
        return [np.stack(row[1:]) for row in self.samples()[1:]]

    def panels(self) -> Panels:
        """Plot the adversarial game, the other terms, and the measures."""
        game = ("d_latent", "d_reference", "g_latent", "g_reference")
        others = ("style", "diversity", "cycle")
        return {
            "adversarial losses": {name: f"loss_{name}" for name in game},
            "other losses": {name: f"loss_{name}" for name in others},
            "held out": {name: f"held_out_{name}" for name in self.measures},
        }
