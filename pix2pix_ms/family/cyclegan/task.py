"""CycleGAN and two domains of images: unpaired batches, cycles and true pairs held out."""

from collections.abc import Sequence
from dataclasses import replace
from math import isnan, nan
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pix2pix_ms.config.family import CycleGANConfig
from pix2pix_ms.data.builtin import unpaired_facades
from pix2pix_ms.data.domain_batches import check_images, larger, unpaired
from pix2pix_ms.data.domains import DomainData
from pix2pix_ms.data.pair_batches import pairs_of, plain_data
from pix2pix_ms.data.prepare.recipe import Recipe
from pix2pix_ms.data.prepare.splits import is_side_by_side
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.family.cyclegan.step import CycleGAN, Losses
from pix2pix_ms.family.task import DomainsTask
from pix2pix_ms.pix2pix.measures.scores import distance
from pix2pix_ms.pix2pix.translate import Translator
from pix2pix_ms.training.figures import LogRow, Panels, image_grid

TITLES = ("A", "to B", "and back", "B", "to A", "and back")


class UnpairedTask(DomainsTask):
    """CycleGAN on two domains; by default label maps and photos of other facades."""

    losses = Losses._fields
    measures = ("cycle_a", "cycle_b", "l1_ab", "l1_ba")
    sample_words = "images of A, translated to B and back; images of B, translated to A and back"
    decides = ("channels",)
    make = staticmethod(unpaired_facades)
    epoch_length = staticmethod(larger)
    epoch_batches = staticmethod(unpaired)

    @classmethod
    def recipe(cls, data: Path) -> Recipe:
        """Return how a folder is prepared: images side by side as pairs, subfolders as domains."""
        return Recipe(unpaired=not is_side_by_side(data))

    def __init__(self, config: CycleGANConfig, data: DomainData) -> None:
        check_images(data, config, config.channels, larger(data))
        if len(data.names) != 2:
            raise Pix2PixError(
                f"{data.records[0]}: expected two domains to translate between, found "
                f"{', '.join(data.names)}; stargan takes any number"
            )
        self.config, self.data = config, data
        self.model = CycleGAN(config)
        self.to_b, self.to_a = (
            Translator(self.model.generator(direction), self.config)
            for direction in ("AtoB", "BtoA")
        )

    def measure(self) -> Sequence[float]:
        """Measure L1 on held-out images: of each domain's cycle, and of G(a) and b, F(b) and a."""
        ways = ((self.to_b, self.to_a), (self.to_a, self.to_b))
        cycles = [
            float(np.mean([distance(back(there(image)), image) for image in self.held_out(number)]))
            for number, (there, back) in enumerate(ways)
        ]
        return (*cycles, *self.against_targets())

    def against_targets(self) -> tuple[float, float]:
        """Return the mean L1 of G(a) and b, and of F(b) and a; nan if the data have no pairs."""
        if self.data.pairs is None:
            return nan, nan
        config = replace(self.config, direction="AtoB")  # so that the pair's x is A
        pairs = pairs_of(plain_data(self.data.pairs, config), self.data.pairs)
        both = [(distance(self.to_b(a), b), distance(self.to_a(b), a)) for a, b in pairs]
        ab, ba = np.mean(both, 0).tolist()
        return ab, ba

    def absent(self) -> tuple[str, ...]:
        """Return the losses whose weight is 0."""
        cycle, identity = self.config.lambda_cycle, self.config.lambda_identity
        no_cycle = ("cycle_a", "cycle_b") * (cycle == 0)
        return no_cycle + ("identity_a", "identity_b") * (cycle * identity == 0)

    def games(self) -> tuple[tuple[str, ...], ...]:
        """Return the loss of each discriminator."""
        return ("d_a",), ("d_b",)

    def generate_samples(self) -> list[tuple[np.ndarray, ...]]:
        """Return held-out images of either domain, translated, and translated back."""
        rows = []
        both = (self.held_out(number, self.config.samples) for number in (0, 1))
        for a, b in zip(*both, strict=False):
            to_b, to_a = self.to_b(a), self.to_a(b)
            row = (a, to_b, self.to_a(to_b), b, to_a, self.to_b(to_a))
            rows.append(tuple(image[0] for image in row))
        return rows

    def sample_grid(self) -> Figure:
        """Show those rows."""
        return image_grid(self.samples(), TITLES)

    def generated(self) -> list[np.ndarray]:
        """Return the images translated once, to B and to A."""
        return [np.stack([row[column] for row in self.samples()]) for column in (1, 4)]

    def panels(self) -> Panels:
        """Plot the adversarial losses, the cycles, and the distance to the true partners."""
        return {
            "adversarial losses": {f"{side}, of {d}": f"loss_{side.lower()}_{d.lower()}"
                                   for side in "DG" for d in "AB"},
            "there and back, L1": {f"{kind} {d}": f"{column}_{d.lower()}" for d in "AB"
                                   for kind, column in (("training", "loss_cycle"),
                                                        ("held-out", "held_out_cycle"))},
            "held out, L1 to the partner": {"A to B": "held_out_l1_ab", "B to A": "held_out_l1_ba"},
        }  # fmt: skip

    def line(self, row: LogRow) -> str:
        """Return the means of both domains' losses, and the held-out measures."""
        groups = {"D": "loss_d", "G": "loss_g", "cycle": "loss_cycle", "identity": "loss_identity"}
        means = {
            name: (row[f"{column}_a"] + row[f"{column}_b"]) / 2 for name, column in groups.items()
        }
        losses = [f"{name} {value:.3f}" for name, value in means.items() if not isnan(value)]
        cycle = (row["held_out_cycle_a"] + row["held_out_cycle_b"]) / 2
        held_out = f"held-out cycle {cycle:.3f}"
        if not isnan(row["held_out_l1_ab"]):
            held_out += (
                f", L1 A to B {row['held_out_l1_ab']:.3f}, B to A {row['held_out_l1_ba']:.3f}"
            )
        return "  ".join([*losses, held_out])
