"""CycleGAN and two domains of images: unpaired batches, the way there and back, held-out pairs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pix2pix_ms.data.pipeline import Subset, TrainingData, epoch_data, pairs_of, plain_data, training_data
from pix2pix_ms.data.prepare import run_records
from pix2pix_ms.data.records import rows_of
from pix2pix_ms.family.config import CycleGANConfig
from pix2pix_ms.family.cyclegan import CycleGAN, Losses
from pix2pix_ms.figures import LogRow, image_grid
from pix2pix_ms.objectives import l1
from pix2pix_ms.tasks.task import Batch, Panels, Task
from pix2pix_ms.translate import Translator

TITLES = ("a", "G(a)", "F(G(a))", "b", "F(b)", "G(F(b))")


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the L1 of two images with values in [-1, 1]."""
    return float(np.abs(one - other).mean(dtype=np.float64))


class UnpairedTask(Task):
    """CycleGAN on two domains of images that have no partners."""

    losses = Losses._fields
    measures = ("cycle_a", "cycle_b", "l1_ab", "l1_ba")
    sample_words = "images of A, translated and back, then images of B likewise"

    @classmethod
    def records(cls, data: Path | None, run: Path, config: CycleGANConfig, resuming: bool) -> Path:
        return run_records(data, run, config, resuming)

    @classmethod
    def open_data(cls, records: Path, config: CycleGANConfig) -> TrainingData:
        return training_data(records, config.seed)

    def __init__(self, config: CycleGANConfig, data: TrainingData) -> None:
        self.config, self.data = config, data
        self.model = CycleGAN(config)
        self.to_b = Translator(self.model.generator("AtoB"), config)
        self.to_a = Translator(self.model.generator("BtoA"), config)

    def steps(self) -> int:
        return len(self.data.train) // self.config.batch_size

    def batches(self, epoch: int) -> Iterator[Batch]:
        config = replace(self.config, direction="AtoB")
        train = self.data.train
        of_a, of_b = (pairs_of(epoch_data(train, config, 2 * epoch + n), train) for n in (0, 1))
        for (a, _), (_, b) in zip(of_a, of_b, strict=True):
            yield a, b

    def held_out(self, count: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        held = self.data.held_out
        subset = Subset(held.record, held.indices[:count])
        config = replace(self.config, direction="AtoB")
        for row in rows_of(plain_data(subset, config), subset.record.path):
            yield row["x"], row["y"]

    def there_and_back(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, ...]:
        fake_b, fake_a = self.to_b(a), self.to_a(b)
        return a, fake_b, self.to_a(fake_b), b, fake_a, self.to_b(fake_a)

    def measure(self) -> Sequence[float]:
        scores = []
        for images in self.held_out():
            a, fake_b, back_a, b, fake_a, back_b = self.there_and_back(*images)
            scores.append((distance(back_a, a), distance(back_b, b), distance(fake_b, b), distance(fake_a, a)))
        return [float(np.mean(column)) for column in zip(*scores, strict=True)]

    def sample_grid(self) -> Figure:
        rows = [
            [image[0] for image in self.there_and_back(*images)]
            for images in self.held_out(self.config.samples)
        ]
        return image_grid(rows, TITLES)
