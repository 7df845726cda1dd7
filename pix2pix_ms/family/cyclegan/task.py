"""CycleGAN and its two domains: unpaired batches, held-out cycles and pairs, a sample grid."""

from collections.abc import Iterator
from dataclasses import replace
from math import isnan, nan

import numpy as np
from matplotlib.figure import Figure

from pix2pix_ms.config.family import CycleGANConfig
from pix2pix_ms.data.builtin import unpaired_facades
from pix2pix_ms.data.domain_batches import larger, unpaired
from pix2pix_ms.data.domains import DomainData
from pix2pix_ms.data.pair_batches import pairs_of, plain_data
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.family.cyclegan.step import CycleGAN, Losses
from pix2pix_ms.family.task import DomainsTask
from pix2pix_ms.pix2pix.measures.scores import distance
from pix2pix_ms.pix2pix.translate import Translator
from pix2pix_ms.training.figures import LogRow, Panels, image_grid

TITLES = ("A", "to B", "and back", "B", "to A", "and back")


class UnpairedTask(DomainsTask):
    """CycleGAN on two domains; by default facades by day and other facades at night."""

    losses = Losses._fields
    measures = ("cycle_a", "cycle_b", "l1_ab", "l1_ba")
    sample_words = "images of A, translated to B and back; images of B, translated to A and back"
    decides = ("channels",)
    make = staticmethod(unpaired_facades)
    takes_pairs = True
    epoch_length = staticmethod(larger)
    epoch_batches = staticmethod(unpaired)

    def __init__(self, config: CycleGANConfig, data: DomainData) -> None:
        super().__init__(config, data)
        if len(data.names) != 2:
            raise Pix2PixError(
                f"{data.records[0]}: expected two domains to translate between, found "
                f"{', '.join(data.names)}; stargan takes any number"
            )
        self.model = CycleGAN(config)
        self.to_b, self.to_a = (
            Translator(self.model.generator(direction), self.config)
            for direction in ("AtoB", "BtoA")
        )

    def cycles(self, domain: int, count: int | None = None) -> Iterator[tuple[np.ndarray, ...]]:
        """Yield held-out images of a domain, 0 or 1, each with its translation and that back."""
        there, back = (self.to_a, self.to_b) if domain else (self.to_b, self.to_a)
        for image in self.held_out(domain, count):
            translated = there(image)
            yield image, translated, back(translated)

    def measure(self) -> tuple[float, ...]:
        """Return mean L1: of each cycle, and of G(a) to b, F(b) to a; these NaN without pairs."""
        cycle_a, cycle_b = (
            float(np.mean([distance(back, image) for image, _, back in self.cycles(domain)]))
            for domain in (0, 1)
        )
        if self.data.pairs is None:
            return cycle_a, cycle_b, nan, nan
        config = replace(self.config, direction="AtoB")  # so that the pair's x is A
        pairs = pairs_of(plain_data(self.data.pairs, config), self.data.pairs)
        both = [(distance(self.to_b(a), b), distance(self.to_a(b), a)) for a, b in pairs]
        ab, ba = np.mean(both, 0).tolist()
        return cycle_a, cycle_b, ab, ba

    def absent(self) -> tuple[str, ...]:
        cycle, identity = self.config.lambda_cycle, self.config.lambda_identity
        no_cycle = ("cycle_a", "cycle_b") * (cycle == 0)
        return no_cycle + ("identity_a", "identity_b") * (cycle * identity == 0)

    def games(self) -> tuple[tuple[str, ...], ...]:
        return ("d_a",), ("d_b",)

    def generate_samples(self) -> list[tuple[np.ndarray, ...]]:
        rows = zip(*(self.cycles(domain, self.config.samples) for domain in (0, 1)), strict=False)
        return [tuple(image[0] for image in (*of_a, *of_b)) for of_a, of_b in rows]

    def sample_grid(self) -> Figure:
        return image_grid(self.samples(), TITLES)

    def generated(self) -> list[np.ndarray]:
        return [np.stack([row[column] for row in self.samples()]) for column in (1, 4)]

    @classmethod
    def panels(cls) -> Panels:
        """Plot the adversarial losses, the cycles, and the distance to the true partners."""
        return {
            "adversarial losses": {
                "D, of A": "loss_d_a", "D, of B": "loss_d_b",
                "G, of A": "loss_g_a", "G, of B": "loss_g_b",
            },
            "there and back, L1": {
                "training A": "loss_cycle_a", "held-out A": "held_out_cycle_a",
                "training B": "loss_cycle_b", "held-out B": "held_out_cycle_b",
            },
            "held out, L1 to the partner": {"A to B": "held_out_l1_ab", "B to A": "held_out_l1_ba"},
        }  # fmt: skip

    def line(self, row: LogRow) -> str:
        """Return the means of both domains' losses, and the held-out measures."""

        def mean(column: str) -> float:
            return (row[f"{column}_a"] + row[f"{column}_b"]) / 2

        groups = {name: mean(f"loss_{name.lower()}") for name in ("D", "G", "cycle", "identity")}
        losses = [f"{name} {value:.3f}" for name, value in groups.items() if not isnan(value)]
        held_out = f"held-out cycle {mean('held_out_cycle'):.3f}"
        ab, ba = row["held_out_l1_ab"], row["held_out_l1_ba"]
        if not isnan(ab):
            held_out += f", L1 A to B {ab:.3f}, B to A {ba:.3f}"
        return "  ".join([*losses, held_out])
