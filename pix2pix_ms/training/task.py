"""What training needs to know of a model and its data.

`epochs` trains, logs, draws, saves and resumes, and knows no model. A task builds one, feeds it,
measures it and shows it. To add a model, write it with a `train_step`, and a task for its data.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import mindspore as ms
import numpy as np
from matplotlib.figure import Figure
from mindspore import Tensor, nn, ops

from pix2pix_ms.data.prepare.recipe import DEFAULT, Recipe
from pix2pix_ms.training.figures import LogRow, Panels, curves_of
from pix2pix_ms.training.sources import run_records

Batch = tuple[np.ndarray, ...]


class Model:
    """Networks and optimisers; a model sets these attributes and has a `train_step`.

    Attributes:
        step: how many training steps were done.
        saved: the cells whose parameters a resume needs, such as networks and optimisers.
        inference: those of the networks that translate or generate.
        rates: each optimiser's learning rate, as a multiple of the config's.
        train_step: takes a batch, updates once, and returns a NamedTuple of the losses as numbers.
    """

    config: Any
    step = 0
    saved: tuple[nn.Cell, ...]
    inference: tuple[nn.Cell, ...]
    rates: dict[nn.Optimizer, float]
    train_step: Callable[..., Any]

    def set_learning_rate(self, rate: float) -> None:
        """Set all optimisers' learning rate, also where the step is already compiled."""
        for optimiser, multiple in self.rates.items():
            set_rate(optimiser, rate * multiple)

    def parameters(self) -> dict[str, ms.Parameter]:
        """Return everything a resume needs, by name."""
        return parameters_of(self.saved)

    def inference_parameters(self) -> dict[str, ms.Parameter]:
        """Return what translation or generation needs, by name."""
        return parameters_of(self.inference)


def parameters_of(cells: Iterable[nn.Cell]) -> dict[str, ms.Parameter]:
    return {p.name: p for cell in cells for p in cell.get_parameters()}


def set_rate(optimiser: nn.Optimizer, rate: float) -> None:
    """Set a learning rate: assigned, because a compiled step sees no `set_data` (MindSpore 2.8)."""
    ops.assign(optimiser.learning_rate, Tensor(rate, ms.float32))


class Task(ABC):
    """A model with its data.

    Args:
        config: the settings of its model.
        data: what `open_data` returned.

    Raises:
        Pix2PixError: if the data do not suit the config.
    """

    losses: ClassVar[tuple[str, ...]]
    """The terms of a step, as in the model's NamedTuple; columns `loss_…` of the log."""
    measures: tuple[str, ...]
    """What is measured on held-out data; columns `held_out_…` of the log."""
    sample_words: ClassVar[str]
    """What a sample grid shows, from left to right, for the command's last line."""
    make: ClassVar[Callable[..., None]]
    """Writes records to a folder, for a run without data."""
    decides: ClassVar[tuple[str, ...]] = ()
    """The settings that follow from the data."""

    config: Any
    model: Any  # its kind of `Model`
    _sampled: tuple[int, Any] | None = None

    @classmethod
    def recipe(cls, data: Path | None) -> Recipe:  # noqa: ARG003
        """Return how a folder of images becomes records."""
        return DEFAULT

    @classmethod
    def records(cls, data: Path | None, run: Path, config: Any, resuming: bool) -> Path:
        """Return the records a run trains on, made in its folder if necessary."""
        return run_records(data, run, config, resuming, cls.make, cls.recipe(data))

    @classmethod
    @abstractmethod
    def open_data(cls, records: Path, config: Any) -> Any:
        """Return what to train on and what to hold out."""

    @classmethod
    @abstractmethod
    def decided(cls, data: Any, config: Any) -> dict[str, Any]:
        """Return the settings named in `decides`, as the data require."""

    @abstractmethod
    def __init__(self, config: Any, data: Any) -> None: ...

    @abstractmethod
    def steps(self) -> int:
        """Return the number of batches in an epoch, the same on every rank."""

    @abstractmethod
    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield this rank's batches of an epoch; all ranks' depend on (seed, epoch) alone."""

    @abstractmethod
    def measure(self) -> Sequence[float]:
        """Measure the model on held-out data, in the order of `measures`; change nothing."""

    @abstractmethod
    def generate_samples(self) -> Any:
        """Generate the images of the sample grid, in whatever shape suits it; change nothing."""

    def samples(self) -> Any:
        """Return the images of the sample grid, generated only once after a step."""
        if self._sampled is None or self._sampled[0] != self.model.step:
            self._sampled = self.model.step, self.generate_samples()
        return self._sampled[1]

    @abstractmethod
    def sample_grid(self) -> Figure:
        """Show the samples."""

    @abstractmethod
    def generated(self) -> list[np.ndarray]:
        """Return each generator's images among the samples, float32 [N, C, H, W]."""

    def absent(self) -> tuple[str, ...]:
        """Return the losses that are NaN because the settings leave them out."""
        return ()

    def games(self) -> tuple[tuple[str, ...], ...]:
        """Return the losses of each discriminator; it has won when all of them are near 0."""
        return ()

    def begin_epoch(self, epoch: int) -> None:
        """Set what changes from epoch to epoch."""
        self.model.set_learning_rate(self.config.learning_rate_at(max(epoch, 1)))

    @classmethod
    def panels(cls) -> Panels:
        """Return which curves to plot together: here all losses, and all measures."""
        return {
            "losses": {name: f"loss_{name}" for name in cls.losses},
            "held out": {name: f"held_out_{name}" for name in cls.measures},
        }

    def loss_curves(self, log: Sequence[LogRow]) -> Figure:
        return curves_of(log, self.panels())

    def line(self, row: LogRow) -> str:
        """Return the losses and measures of an epoch as text."""
        held_out = [f"{name} {row[f'held_out_{name}']:.3f}" for name in self.measures]
        losses = [f"{name} {row[f'loss_{name}']:.3f}" for name in self.losses]
        trained = row["epoch"] > 0
        return "  ".join([*losses * trained, f"held-out {', '.join(held_out)}"])
