"""StarGAN v2 and its domains: batches with references, held-out diversity and cycle, samples."""

import numpy as np
from matplotlib.figure import Figure

from pix2pix_ms.config.family import StarGANConfig
from pix2pix_ms.data.builtin import styled_facades
from pix2pix_ms.data.domain_batches import with_references
from pix2pix_ms.data.domains import DomainData
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.family.stargan.step import Losses, StarGAN
from pix2pix_ms.family.task import DomainsTask
from pix2pix_ms.machine.randomness import Stream, random
from pix2pix_ms.pix2pix.measures.scores import distance
from pix2pix_ms.training.figures import Panels, image_grid

MOST_MEASURED = 16  # held-out images of a domain


class StylesTask(DomainsTask):
    """StarGAN v2 on the domains of a record of images; by default facades in three looks."""

    losses = Losses._fields
    measures = ("diversity", "cycle")
    sample_words = "sources above, references on the left, each source in each reference's style"
    decides = ("domains",)
    make = staticmethod(styled_facades)
    epoch_batches = staticmethod(with_references)

    def __init__(self, config: StarGANConfig, data: DomainData) -> None:
        if config.domains != data.names:
            raise Pix2PixError(
                f"domains: expected {', '.join(data.names)} as the data have, found "
                f"{', '.join(config.domains) or 'none'}; change the setting or give other data"
            )
        super().__init__(config, data)
        self.model = StarGAN(config)

    def begin_epoch(self, epoch: int) -> None:
        """Set the learning rate, and the diversity loss's weight, which falls to 0."""
        super().begin_epoch(epoch)
        self.model.diversity_weight = self.config.diversity_at(max(epoch, 1))

    def measure(self) -> list[float]:
        """Translate held-out images, each to one other domain; return mean L1, 0 to 2.

        Diversity: between two translations of a source with two latent codes; larger is better.
        Cycle: between a source and its translation to the other domain and back.
        """
        averages, count = self.model.averages, len(self.config.domains)
        rows = []
        for domain in range(count):
            for number, x in enumerate(self.held_out(domain, MOST_MEASURED)):
                target = np.array([(domain + 1 + number % max(count - 1, 1)) % count])
                rng = random(self.config.seed, Stream.INFERENCE, domain, number)
                shape = (2, 1, self.config.latent_dim)
                one, other = (
                    averages.generate(x, averages.style_from(z, target))
                    for z in rng.standard_normal(shape, np.float32)
                )
                back = averages.generate(one, averages.style_of(x, np.array([domain])))
                rows.append([distance(one, other), distance(back, x)])
        return np.mean(rows, axis=0).tolist()

    def games(self) -> tuple[tuple[str, ...], ...]:
        return (("d_latent", "d_reference"),)

    def generate_samples(self) -> list[list[np.ndarray]]:
        """Return held-out sources of all domains in turn, then each in each reference's style."""
        averages, domains = self.model.averages, range(len(self.config.domains))
        images = [list(self.held_out(number, self.config.samples + 1)) for number in domains]
        sources = []
        for number in range(self.config.samples):
            place, domain = divmod(number, len(domains))
            sources.append(images[domain][place % len(images[domain])])
        rows = [[np.ones_like(sources[0][0]), *(source[0] for source in sources)]]
        for number in domains:
            reference = images[number][-1]
            style = averages.style_of(reference, np.array([number]))
            rows.append([reference[0], *(averages.generate(x, style)[0] for x in sources)])
        return rows

    def sample_grid(self) -> Figure:
        rows = self.samples()
        return image_grid(rows, ["reference", *["source"] * (len(rows[0]) - 1)])

    def generated(self) -> list[np.ndarray]:
        return [np.stack(row[1:]) for row in self.samples()[1:]]

    @classmethod
    def panels(cls) -> Panels:
        titles = {
            "adversarial losses": ("d_latent", "d_reference", "g_latent", "g_reference"),
            "other losses": ("style", "diversity", "cycle"),
        }
        panels = {title: {n: f"loss_{n}" for n in names} for title, names in titles.items()}
        return {**panels, "held out": {name: f"held_out_{name}" for name in cls.measures}}
