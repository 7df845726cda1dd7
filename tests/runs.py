"""What tests share: the smallest training, the command, and what two runs must have in common."""

import csv
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from matplotlib.figure import Figure
from mindspore import nn
from mindspore.mindrecord import FileWriter
from PIL import Image

from pix2pix_ms.cli.commands import command
from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.integrity import write_sums
from pix2pix_ms.data.records import COLUMNS
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.run import Run

# The smallest pix2pix: six kinds of layers in five levels, a few steps an epoch, nothing compiled.
TINY: dict[str, Any] = {
    "size": 32, "jitter_size": 36, "ngf": 4, "ndf": 4, "n_layers": 1, "epochs": 3,
    "save_every": 2, "samples": 2, "jit": False, "device": "CPU", "learning_rate": 2e-4,
}  # fmt: skip

REPOSITORY = Path(__file__).parents[1]
REPORTING = ("train", "prepare", "segmenter")


def environment(**more: str) -> dict[str, str]:
    """Return the environment in which a child finds the package, wherever it starts."""
    places = os.pathsep.join([str(REPOSITORY), *filter(None, sys.path)])
    return os.environ | {"PYTHONPATH": places} | more


def options(settings: dict[str, Any]) -> list[str]:
    """Return settings as options of the command."""
    words = []
    for name, value in settings.items():
        flag = name.replace("_", "-")
        switch = {True: [f"--{flag}"], False: [f"--no-{flag}"]}
        words += switch[value] if isinstance(value, bool) else [f"--{flag}", str(value)]
    return words


def call(*words: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(command, [str(word) for word in words])


def output(*words: object) -> str:
    """Run a command that must succeed, and return what it prints."""
    found = call(*words)
    assert found.exit_code == 0, found.output
    return str(found.output)


def refusal(*words: object, about: object = "") -> str:
    """Run a command that must fail, and return its last line: the error, which names its subject.

    It fails with exit status 1, without a traceback, and says nothing else unless it is one of the
    commands that report as they work.
    """
    found = call(*words)
    assert found.exit_code == 1, found.output
    *before, line = found.output.splitlines()
    assert line.startswith(f"error: {about}"), line
    assert "unexpected" not in line
    assert not before or words[0] in REPORTING, found.output
    assert not [each for each in before if each.startswith(("error: ", "Traceback"))]
    return str(line)


@contextmanager
def refused(words: str, kind: type[Pix2PixError] = Pix2PixError) -> Iterator[None]:
    """Expect our own error: one line, in which the regular expression is found."""
    with pytest.raises(kind, match=words) as found:
        yield
    assert str(found.value).isprintable()


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Draw images or weights, float32 in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def numbers(network: nn.Cell) -> np.ndarray:
    """Return all that a network can learn, as one vector."""
    return np.concatenate([p.asnumpy().ravel() for p in network.trainable_params()])


def saved(network: nn.Cell, config: Any, path: Path) -> Path:
    """Save an untrained network as a checkpoint."""
    initialise(network, config)
    checkpoints.save(network.get_parameters(), path, config)
    return path


def save_pairs(
    folder: Path, count: int, size: int = 32, first_seed: int = 0, swap: bool = False
) -> Path:
    """Save facades side by side, as folders of images have them, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for a, b, name in facade_pairs(count, size, first_seed):
        Image.fromarray(np.hstack([b, a] if swap else [a, b])).save(folder / f"{name}.png")
    return folder


def published(path: Path, *rows: tuple[np.ndarray, np.ndarray], sums: bool = True) -> Path:
    """Write a record in the published layout: whole batches a row, float32 [N, C, H, W].

    Without our checksums another process reads it first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = FileWriter(str(path), shard_num=1)
    writer.set_header_size(2**14)  # by default it writes 50 MB
    writer.set_page_size(2**18)
    column = {"type": "float32", "shape": list(rows[0][0].shape)}
    writer.add_schema(dict.fromkeys(COLUMNS, column), "batches")
    writer.write_raw_data([dict(zip(COLUMNS, row, strict=True)) for row in rows])
    writer.commit()
    if sums:
        write_sums(path, own=False)
    return path


def weights(place: Path, *networks: str) -> dict[str, bytes]:
    """Return the parameters of a checkpoint, by name; where networks are named, theirs alone."""
    found = checkpoints.load(checkpoints.file_of(place))[0]
    return {
        name: value.asnumpy().tobytes()
        for name, value in found.items()
        if not networks or name.split(".")[0] in networks
    }


def log_of(run: Path) -> list[dict[str, str]]:
    """Return the rows of a log, without the seconds, which no two runs share."""
    with Run(run).log_file.open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def columns(task: Any) -> list[str]:
    """Return the columns that a log of a task has without mixed precision."""
    losses, measures = (
        [f"{kind}_{name}" for name in names]
        for kind, names in (("loss", task.losses), ("held_out", task.measures))
    )
    return ["epoch", "step", "learning_rate", *losses, *measures, "seconds"]


def result(run: Path) -> tuple[bytes, list[dict[str, str]]]:
    """Return what must not depend on what happened to a run: its last checkpoint and its log."""
    return Run(run).last.read_bytes(), log_of(run)


def quiet(_: str) -> None:
    """Report nothing."""


def blank(*_: object) -> Figure:
    """Draw next to nothing: pictures take longer than the smallest training."""
    return Figure((1, 1), 20)
