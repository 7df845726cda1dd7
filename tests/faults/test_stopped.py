"""Stopped between two steps of an epoch, every kind of training goes on to the bit.

pix2pix itself, as people stop it, is in test_killed.py. Here is what the others carry from step to
step besides: which step learns, pools of earlier images, averages of weights, a loss's scale.
"""

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness import TINY, result

from pix2pix_ms.config.models import MODELS, preset
from pix2pix_ms.machine import precision as mixed_precision
from pix2pix_ms.machine.signals import Stopped
from pix2pix_ms.training import health
from pix2pix_ms.training.epochs import train
from pix2pix_ms.training.run import Run

pytestmark = pytest.mark.usefixtures("light")
SMALL: dict[str, Any] = {"size": 16, "jitter_size": 18, "ngf": 4, "facades": 10, "jit": False}
NOISE: dict[str, Any] = {"size": 16, "jitter_size": 16, "ngf": 4, "ndf": 4, "batch_size": 128}
# The scale is one that overflows at first, so that the run has found its own where it is stopped.
HALF = {"amp": "O2", "jit": True, "facades": 10}
TRAININGS: dict[str, tuple[str, dict[str, Any], int]] = {
    "wgan, whose generator learns at every fifth step": ("wgan", NOISE | {"jit": False}, 7),
    "dcgan, compiled": ("dcgan", NOISE | {"jit": True}, 3),
    "cyclegan and its pools": ("cyclegan", SMALL | {"ndf": 4, "n_blocks": 1, "pool_size": 3}, 3),
    "stargan and its average": ("stargan", SMALL | {"max_filters": 8, "batch_size": 4}, 1),
    "pix2pix in half precision, compiled": ("pix2pix", TINY | HALF, 3),
}


def pressed_at(step: int) -> Callable[..., None]:
    """What looks at a step's losses, and sends SIGTERM after this one."""
    check = health.check_losses

    def checked(task: Any, *rest: Any) -> None:
        check(task, *rest)
        if task.model.step == step:
            signal.raise_signal(signal.SIGTERM)

    return checked


@pytest.mark.parametrize("training", TRAININGS)
def test_stopped_within_an_epoch_it_goes_on_to_the_bit(
    training: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixed_precision, "FIRST_SCALE", 2.0**22)
    model, settings, done = TRAININGS[training]
    config, task = preset("quick", model, **settings | {"epochs": 2}), MODELS[model].task_class()
    data = task.open_data(task.records(None, tmp_path / "data", config, False), config)
    config = replace(config, **task.decided(data, config))
    straight = train(config, data, tmp_path / "straight", report=str)
    log = straight.log()
    stop = log[1]["step"] + done
    assert stop < log[2]["step"], "in the middle of an epoch"
    if config.amp != "O0":
        skipped = log[1][mixed_precision.SKIPPED]
        assert 0 < skipped < 2 * log[1]["step"], "some of each optimiser's updates"
    with monkeypatch.context() as patch, pytest.raises(Stopped) as stopped:
        patch.setattr(health, "check_losses", pressed_at(stop))
        train(config, data, tmp_path / "run", report=str)
    assert stopped.value.number == signal.SIGTERM
    kept = Run(tmp_path / "run").load_last(print)
    assert kept
    assert kept.position["step"] == stop
    assert kept.position["losses"].shape == (done, len(task.losses))
    train(config, data, tmp_path / "run", resume=True, report=str)
    assert result(tmp_path / "run") == result(straight.folder)
