"""What the family's tasks share: images by domain, without pairs, made or opened as records."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pix2pix_ms.data.domain_batches import plain_images
from pix2pix_ms.data.domains import DomainData, domain_data
from pix2pix_ms.data.prepare.recipe import Recipe
from pix2pix_ms.training.sources import run_records
from pix2pix_ms.training.task import Batch, Task


class DomainsTask(Task):
    """A model on the images of one or more domains."""

    data: DomainData

    epoch_length: ClassVar[Callable[..., int]]
    """How many images of a column of its batches an epoch has, given the data."""
    epoch_batches: ClassVar[Callable[..., Iterator[Batch]]]
    """Yields the batches, given data, config and epoch."""

    @staticmethod
    @abstractmethod
    def make(folder: Path, config: Any) -> None:
        """Write records to a folder, for a run without data."""

    @classmethod
    def recipe(cls, data: Path) -> Recipe:  # noqa: ARG003
        """Return how a folder of images is prepared: here, each subfolder is a domain."""
        return Recipe(unpaired=True)

    @classmethod
    def records(cls, data: Path | None, run: Path, config: Any, resuming: bool) -> Path:
        """Return the records of images a run trains on, made in its folder where there are none."""
        recipe = Recipe() if data is None else cls.recipe(data)
        return run_records(data, run, config, resuming, cls.make, recipe)

    @classmethod
    def open_data(cls, records: Path, config: Any) -> DomainData:
        """Return the images to train on and to hold out, by domain; of pairs, A and B apart."""
        return domain_data(records, config.seed)

    @classmethod
    def decided(cls, data: DomainData, config: Any) -> dict[str, Any]:  # noqa: ARG003
        """Return the settings that `decides` names, as the data have them."""
        known = {"channels": data.channels, "classes": len(data.names), "domains": data.names}
        return {name: known[name] for name in cls.decides}

    def steps(self) -> int:
        """Return how many batches an epoch has."""
        return self.epoch_length(self.data) // self.config.global_batch

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield this rank's batches of an epoch, as the model's `train_step` takes them."""
        yield from self.epoch_batches(self.data, self.config, epoch)

    def held_out(self, number: int, count: int | None = None) -> Iterator[np.ndarray]:
        """Yield held-out images of a domain, float32 [1, C, H, W]; all, or the first `count`."""
        yield from plain_images(self.data.held_out[number], self.config, self.data.channels, count)
