"""pix2pix and its pairs: jittered batches, held-out L1, PSNR and SSIM, triples to look at."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.pair_batches import (
    DECIDED,
    Subset,
    TrainingData,
    check_batch,
    check_channels,
    epoch_data,
    pairs_of,
    settings_of,
    training_data,
)
from pix2pix_ms.pix2pix.measures.scores import Scores, evaluate
from pix2pix_ms.pix2pix.step import Losses, Pix2Pix
from pix2pix_ms.pix2pix.translate import Translator, Triple, triples
from pix2pix_ms.training.figures import LogRow, loss_curves, sample_grid
from pix2pix_ms.training.sources import run_records
from pix2pix_ms.training.task import Batch, Task


class PairsTask(Task):
    """pix2pix on pairs of an input and a target image."""

    losses = Losses._fields
    measures = Scores._fields
    sample_words = "input, generated and target images"
    decides = DECIDED

    @classmethod
    def records(cls, data: Path | None, run: Path, config: Config, resuming: bool) -> Path:
        """Return the records of pairs a run trains on; without data procedural facades."""
        return run_records(data, run, config, resuming)

    @classmethod
    def open_data(cls, records: Path, config: Config) -> TrainingData:
        """Return the pairs to train on and to hold out."""
        return training_data(records, config.seed)

    @classmethod
    def decided(cls, data: TrainingData, config: Config) -> dict[str, Any]:
        """Return channels and colours, as the pairs have them."""
        return settings_of(data.train.record, config.direction)

    def __init__(self, config: Config, data: TrainingData) -> None:
        check_batch(len(data.train), config)
        for subset in (data.train, data.held_out):
            check_channels(subset.record, config)
        self.config, self.data = config, data
        self.model = Pix2Pix(config)
        self.generate = Translator(self.model.translating, config)  # compiles
        self.shown, self.others = (
            Subset(data.held_out.record, data.held_out.indices[part])
            for part in (slice(config.samples), slice(config.samples, None))
        )

    def steps(self) -> int:
        """Return how many batches an epoch has."""
        return len(self.data.train) // self.config.global_batch

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield (x, y), float32 [N, C, height, width] each."""
        rows = epoch_data(self.data.train, self.config, epoch)
        yield from pairs_of(rows, self.data.train)

    def measure(self) -> Scores:
        """Compare generated and target images of all held-out pairs."""
        others = triples(self.generate, self.others) if len(self.others) else ()
        return evaluate(chain(self.samples(), others))

    def generate_samples(self) -> list[Triple]:
        """Return input, generated and target image of some held-out pairs."""
        return list(triples(self.generate, self.shown))

    def sample_grid(self) -> Figure:
        """Show those triples."""
        return sample_grid(self.samples(), self.config.direction)

    def generated(self) -> list[np.ndarray]:
        """Return the generated image of each."""
        return [np.stack([image for _, image, _ in self.samples()])]

    def absent(self) -> tuple[str, ...]:
        """Return the adversarial losses where there is no discriminator."""
        return ("d_real", "d_fake", "g_gan") if self.config.gan_weight == 0 else ()

    def games(self) -> tuple[tuple[str, ...], ...]:
        """Return D's losses; a critic's (wgan-gp) say nothing of who wins."""
        plays = self.config.gan_weight > 0 and not self.config.penalised
        return (("d_real", "d_fake"),) if plays else ()

    def loss_curves(self, log: Sequence[LogRow]) -> Figure:
        """Plot the two networks' game, the distance and the similarity."""
        return loss_curves(log, self.config.gan_mode)

    def line(self, row: LogRow) -> str:
        """Say D's and G's adversarial losses, where there are any, and the distances."""
        held_out = f"held-out L1 {row['held_out_l1']:.3f}  SSIM {row['held_out_ssim']:.3f}"
        if row["epoch"] == 0:
            return held_out
        game = ""
        if not np.isnan(row["loss_g_gan"]):
            loss_d = (row["loss_d_real"] + row["loss_d_fake"]) / 2
            game = f"D {loss_d:.3f}  G {row['loss_g_gan']:.3f}  "
        return f"{game}L1 {row['loss_g_l1']:.3f}  {held_out}"
