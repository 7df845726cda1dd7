"""The base of the family's tasks: images by domain, without pairs."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pix2pix_ms.data.domain_batches import check_images, every, plain_images
from pix2pix_ms.data.domains import DomainData, domain_data
from pix2pix_ms.data.prepare.recipe import Recipe
from pix2pix_ms.data.prepare.splits import is_side_by_side
from pix2pix_ms.training.task import Batch, Task


class DomainsTask(Task):
    """A model on the images of one or more domains."""

    data: DomainData

    takes_pairs: ClassVar[bool] = False
    """Whether side-by-side images are pairs, whose halves are two domains."""
    epoch_batches: ClassVar[Callable[..., Iterator[Batch]]]
    """Yields the batches, given data, config and epoch."""
    epoch_length: ClassVar[Callable[..., int]] = staticmethod(every)
    """Returns the number of images in an epoch, given data."""

    def __init__(self, config: Any, data: DomainData) -> None:
        check_images(data, config, self.epoch_length(data))
        self.config, self.data = config, data

    @classmethod
    def recipe(cls, data: Path | None) -> Recipe:
        """Of a folder of images each subfolder is a domain, unless it has pairs side by side."""
        paired = data is None or (cls.takes_pairs and is_side_by_side(data))
        return Recipe(unpaired=not paired)

    @classmethod
    def open_data(cls, records: Path, config: Any) -> DomainData:
        return domain_data(records, config.seed)

    @classmethod
    def decided(cls, data: DomainData, config: Any) -> dict[str, Any]:  # noqa: ARG003
        known = {"channels": data.channels, "classes": len(data.names), "domains": data.names}
        return {name: known[name] for name in cls.decides}

    def steps(self) -> int:
        return self.epoch_length(self.data) // self.config.global_batch

    def batches(self, epoch: int) -> Iterator[Batch]:
        yield from self.epoch_batches(self.data, self.config, epoch)

    def held_out(self, number: int, count: int | None = None) -> Iterator[np.ndarray]:
        """Yield held-out images of a domain, float32 [1, C, H, W]; all, or the first `count`."""
        yield from plain_images(self.data.held_out[number], self.config, count)
