"""Tasks on images that are no pairs: where their records come from, and how they are opened."""

from abc import abstractmethod
from pathlib import Path
from typing import Any

from pix2pix_ms.data.domains import DomainData, domain_data
from pix2pix_ms.data.prepare.recipe import Recipe
from pix2pix_ms.training.sources import run_records
from pix2pix_ms.training.task import Task


class DomainsTask(Task):
    """A model on the images of one domain or more."""

    data: DomainData

    @staticmethod
    @abstractmethod
    def make(folder: Path, config: Any) -> None:
        """Write records to a folder, for where no data are given."""

    @classmethod
    def recipe(cls, data: Path) -> Recipe:  # noqa: ARG003
        """Return what becomes of a folder of images: here, each subfolder is a domain."""
        return Recipe(unpaired=True)

    @classmethod
    def records(cls, data: Path | None, run: Path, config: Any, resuming: bool) -> Path:
        """Return the records of images a run trains on, made in its folder where there are none."""
        recipe = Recipe() if data is None else cls.recipe(data)
        return run_records(data, run, config, resuming, cls.make, recipe)

    @classmethod
    def open_data(cls, records: Path, config: Any) -> DomainData:
        """Return the images to train on and to hold out, by domain; pairs are A and B apart."""
        return domain_data(records, config.seed)
