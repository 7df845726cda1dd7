"""pix2pix and its pairs: jittered batches, held-out L1, PSNR and SSIM, a sample grid."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.builtin import paired_facades
from pix2pix_ms.data.images import to_pixels
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
from pix2pix_ms.pix2pix.measures import quality
from pix2pix_ms.pix2pix.measures.scores import Scores, evaluate
from pix2pix_ms.pix2pix.step import Losses, Pix2Pix
from pix2pix_ms.pix2pix.translate import Translator, Triple, triples
from pix2pix_ms.training.figures import PANELS, LogRow, Panels, loss_curves, sample_grid
from pix2pix_ms.training.task import Batch, Task


class PairsTask(Task):
    """pix2pix on pairs of an input and a target image."""

    losses = Losses._fields
    measures: tuple[str, ...] = Scores._fields
    sample_words = "input, generated and target images"
    make = staticmethod(paired_facades)
    decides = DECIDED

    @classmethod
    def open_data(cls, records: Path, config: Config) -> TrainingData:
        return training_data(records, config.seed)

    @classmethod
    def decided(cls, data: TrainingData, config: Config) -> dict[str, Any]:
        return settings_of(data.train.record, config.direction)

    def __init__(self, config: Config, data: TrainingData) -> None:
        check_batch(len(data.train), config)
        for subset in (data.train, data.held_out):
            check_channels(subset.record, config)
        self.config, self.data = config, data
        if config.keep_best == "kid":  # it takes longer than all others
            self.measures = (*Scores._fields, "kid")
            quality.check(len(data.held_out))
        self.model = Pix2Pix(config)
        self.generate = Translator(self.model.translating, config)  # compiles
        self.shown, self.others = (
            Subset(data.held_out.record, data.held_out.indices[part])
            for part in (slice(config.samples), slice(config.samples, None))
        )

    def steps(self) -> int:
        return len(self.data.train) // self.config.global_batch

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield (x, y), float32 [N, C, height, width] each."""
        train = self.data.train
        yield from pairs_of(epoch_data(train, self.config, epoch), train)

    def measure(self) -> Sequence[float]:
        others = triples(self.generate, self.others) if len(self.others) else ()
        found = chain(self.samples(), others)
        if "kid" not in self.measures:
            return evaluate(found)
        held_out = list(found)
        pictures = ([to_pixels(triple[side]) for triple in held_out] for side in (1, 2))
        kid = quality.kid(*map(quality.features, pictures)).mean
        return (*evaluate(held_out), kid)

    def generate_samples(self) -> list[Triple]:
        """Return input, generated and target image of some held-out pairs."""
        return list(triples(self.generate, self.shown))

    def sample_grid(self) -> Figure:
        return sample_grid(self.samples(), self.config.direction)

    def generated(self) -> list[np.ndarray]:
        return [np.stack([image for _, image, _ in self.samples()])]

    def absent(self) -> tuple[str, ...]:
        return ("d_real", "d_fake", "g_gan") if self.config.gan_weight == 0 else ()

    def games(self) -> tuple[tuple[str, ...], ...]:
        # Not a critic's (wgan-gp), whose losses do not tell who wins.
        plays = self.config.gan_weight > 0 and not self.config.penalised
        return (("d_real", "d_fake"),) if plays else ()

    @classmethod
    def panels(cls) -> Panels:
        alone = {name: {f"held-out {name}": f"held_out_{name.lower()}"} for name in ("PSNR", "KID")}
        return {**PANELS, **alone}

    def loss_curves(self, log: Sequence[LogRow]) -> Figure:
        return loss_curves(log, self.config.gan_mode)

    def line(self, row: LogRow) -> str:
        held_out = f"held-out L1 {row['held_out_l1']:.3f}  SSIM {row['held_out_ssim']:.3f}"
        if row["epoch"] == 0:
            return held_out
        game = ""
        if not np.isnan(row["loss_g_gan"]):
            loss_d = (row["loss_d_real"] + row["loss_d_fake"]) / 2
            game = f"D {loss_d:.3f}  G {row['loss_g_gan']:.3f}  "
        return f"{game}L1 {row['loss_g_l1']:.3f}  {held_out}"
