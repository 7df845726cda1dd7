"""Detects failing training: non-finite losses or weights, signs of mode collapse."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.precision import SKIPPED
from pix2pix_ms.training.figures import LogRow
from pix2pix_ms.training.task import Task

WON = 0.01  # a discriminator with a lower mean loss recognises every generated image
FLAT = 0.01  # an invisible standard deviation of values in [-1, 1], 255 steps of 0.008 each


def check_losses(task: Task, losses: Sequence[float], epoch: int, last: Path) -> None:
    """Raise Pix2PixError if a step's losses are not finite, except those that settings disable.

    The error names the last checkpoint.
    """
    for name, value in zip(task.losses, losses, strict=True):
        if not math.isfinite(value) and name not in task.absent():
            where = f"at step {task.model.step}, in epoch {epoch}"
            raise not_finite(
                f"loss {name}: expected a finite number {where}, found {value}", task, last
            )


def check_weights(task: Task, epoch: int, last: Path) -> None:
    """Raise Pix2PixError if weights, or optimisers' moments, are not finite.

    Losses may not show it: MindSpore's ReLU (2.8, CPU) turns NaN to 0.
    """
    for name, parameter in task.model.parameters().items():
        if not np.isfinite(parameter.asnumpy()).all():
            raise not_finite(
                f"{name}: expected finite numbers in epoch {epoch}, found others", task, last
            )


def not_finite(what: str, task: Task, last: Path) -> Pix2PixError:
    config = task.config
    remedies = [f"--learning-rate {config.learning_rate / 4:.2g}"]
    remedies += ["another --norm"] * hasattr(config, "norm") + ["--amp O0"] * (config.amp != "O0")
    before = (
        f"{last} is from before, but resuming from it would fail in the same way: " * last.is_file()
    )
    return Pix2PixError(
        f"{what}; {before}start another run with {' or '.join(remedies)}, and look for broken "
        "images in the data"
    )


def signs(task: Task, log: Sequence[LogRow]) -> list[str]:
    """Return warnings about a log's last epoch: one network has won, or nothing is learned."""
    if len(log) < 2:
        return []  # untrained
    before, row = log[-2:]
    found = []
    if row.get(SKIPPED, 0) - before.get(SKIPPED, 0) >= row["step"] - before["step"] > 0:
        found.append("mixed precision skipped as many updates as there were steps; try --amp O0")
    for names in task.games():
        loss = float(np.mean([row[f"loss_{name}"] for name in names]))
        if loss < WON:
            found.append(
                f"the discriminator's loss ({', '.join(names)}) was {loss:.2g} on average: it "
                "tells every generated image, and the generator learns nothing from it"
            )
    for images in task.generated():
        if images.std(axis=(2, 3)).max() < FLAT:
            found.append("every generated image is of one colour")
        elif len(images) > 1 and images.std(axis=0).max() < FLAT:
            found.append("all generated images are alike")
    return [f"epoch {row['epoch']}: {sign}" for sign in found]
