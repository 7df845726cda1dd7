"""What tests share: the smallest training, the command, and what two runs must have in common."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner, Result
from matplotlib.figure import Figure
from mindspore import nn

from pix2pix_ms.cli.commands import command
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.run import Run

# The smallest pix2pix: six kinds of layers in five levels, a few steps an epoch, nothing compiled.
TINY: dict[str, Any] = {
    "size": 32, "jitter_size": 36, "ngf": 4, "ndf": 4, "n_layers": 1, "epochs": 3,
    "save_every": 2, "samples": 2, "jit": False, "device": "CPU", "learning_rate": 2e-4,
}  # fmt: skip

REPORTING = ("train", "prepare", "segmenter")


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
