"""What holds for every model: the same seed gives the same bits, resumed or not, compiled or not.

Runs are stopped here as people stop them. That a killed one goes on is tested in faults/.
"""

import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pix2pix_ms.config.models import MODELS as TRAINED
from pix2pix_ms.config.models import preset
from pix2pix_ms.machine import precision
from pix2pix_ms.machine.signals import Stopped
from pix2pix_ms.training import checkpoints, health
from pix2pix_ms.training.epochs import train
from pix2pix_ms.training.run import Run
from tests.every_model import CONFIGS, HALF, MODELS, STEPS, built, losses, plain, values
from tests.runs import TINY, quiet, result


@pytest.mark.parametrize("name", CONFIGS)
def test_same_seed_and_resumed_give_the_same_bits(name: str, tmp_path: Path) -> None:
    """Half of the steps, a checkpoint, and the others of a new model; another seed differs."""
    config: Any = replace(CONFIGS[name], jit=False)
    straight = dict(plain(name))
    wanted = straight.pop("losses")
    first, second = built(config), built(config)
    untrained = values(second)
    np.testing.assert_array_equal(losses(first, end=HALF), wanted[:HALF])

    file = tmp_path / "last.ckpt"
    checkpoints.save(first.parameters().values(), file, config, epoch=1, step=first.step)
    found, theirs, position = checkpoints.load(file)
    checkpoints.fill(second.parameters(), found, file, (config, theirs))
    second.step = position["step"]
    np.testing.assert_array_equal(losses(second, HALF), wanted[HALF:])
    resumed = values(second)
    assert resumed.keys() == straight.keys()
    assert [n for n in resumed if resumed[n].tobytes() != straight[n].tobytes()] == []
    other = values(built(replace(config, seed=1)))
    assert any(other[n].tobytes() != value.tobytes() for n, value in untrained.items())


@pytest.fixture(scope="module")
def graph(compiled: Path) -> Mapping[str, np.ndarray]:
    """Losses and parameters of every model, compiled."""
    return dict(np.load(compiled / "steps.npz"))


def of(name: str, stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what is stored under a name, by the rest of it."""
    return {k.removeprefix(f"{name}/"): v for k, v in stored.items() if k.startswith(f"{name}/")}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_compiled_step_has_no_memory_but_its_parameters(
    graph: Mapping[str, np.ndarray], name: str
) -> None:
    """Put back to the middle, it does the rest again to the bit."""
    found = of(name, graph)
    again = of("again", found)
    assert again
    assert [n for n in again if again[n].tobytes() != found[n].tobytes()] == []


@pytest.mark.parametrize("name", MODELS)
def test_graph_equals_pynative(graph: Mapping[str, np.ndarray], name: str) -> None:
    """Losses, and what weights, optimisers and moving statistics have come to.

    Not biases: where a normalisation follows, their gradients are nothing but rounding.
    """
    ours, theirs = of(name, graph), plain(name)
    halves = "O2" in name or "auto" in name
    tolerance, nearly_0 = (2e-2, 1e-3) if halves else (1e-3, 1e-5)
    np.testing.assert_allclose(ours["losses"], theirs["losses"], rtol=tolerance, atol=nearly_0)
    assert len(ours["losses"]) == STEPS and np.isfinite(theirs["losses"]).any()
    for key in theirs.keys() - {"losses"}:
        apart = np.linalg.norm(ours[key] - theirs[key])
        assert key.endswith("bias") or apart <= tolerance * np.linalg.norm(theirs[key]), key
    if "O2" in name:  # statistics are not rounded to halves
        moving = [value for key, value in ours.items() if "moving" in key]
        assert moving and all(np.any(v != v.astype(np.float16)) for v in moving)


SMALL: dict[str, Any] = {"size": 16, "jitter_size": 18, "ngf": 4, "facades": 8}
NOISE: dict[str, Any] = {"size": 8, "jitter_size": 8, "ngf": 4, "ndf": 4, "batch_size": 400}
# Of each: the model, its settings, and after how many steps of the second epoch it is stopped.
TRAININGS: dict[str, tuple[str, dict[str, Any], int]] = {
    "pix2pix": ("pix2pix", TINY | {"facades": 6, "ema": 0.9, "upsampling": "composed"}, 3),
    # The scale is one that overflows at first, so that the run has found its own where it stops.
    "half precision": ("pix2pix", TINY | {"facades": 9, "amp": "O2"}, 3),
    "lsgan with labels": ("lsgan", NOISE | {"conditional": True}, 2),
    "wgan, whose generator learns at every fifth step": ("wgan", NOISE | {"batch_size": 200}, 4),
    "cyclegan and its pools": ("cyclegan", SMALL | {"ndf": 4, "n_blocks": 1, "pool_size": 3}, 3),
    "stargan and its average": (
        "stargan", SMALL | {"facades": 4, "max_filters": 8, "batch_size": 2}, 1,
    ),
}  # fmt: skip


def terminated_at(step: int) -> Callable[..., None]:
    """What looks at a step's losses, and sends SIGTERM after this one."""
    check = health.check_losses

    def checked(task: Any, *rest: Any) -> None:
        check(task, *rest)
        if task.model.step == step:
            signal.raise_signal(signal.SIGTERM)

    return checked


@pytest.mark.usefixtures("light")
@pytest.mark.parametrize("training", TRAININGS)
def test_a_resumed_run_equals_a_straight_one(
    training: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped by SIGTERM within its second epoch, and pix2pix also between the two."""
    monkeypatch.setattr(precision, "FIRST_SCALE", 2.0**22)
    model, settings, done = TRAININGS[training]
    config = preset("quick", model, **{"jit": False} | settings | {"epochs": 2})
    task = TRAINED[model].task_class()
    data = task.open_data(task.records(None, tmp_path / "data", config, False), config)
    config = replace(config, **task.decided(data, config))
    straight = train(config, data, tmp_path / "straight", report=quiet)
    log = straight.log()
    stop = int(log[1]["step"]) + done
    assert stop < log[2]["step"], "in the middle of an epoch"
    if config.amp != "O0":
        skipped = log[1][precision.SKIPPED]
        assert 0 < skipped < 2 * log[1]["step"], "some of each optimiser's updates"

    run = Run(tmp_path / "run")
    if training == "pix2pix":
        train(config, data, run.folder, stop_after=1, report=quiet)
    with monkeypatch.context() as patch, pytest.raises(Stopped) as stopped:
        patch.setattr(health, "check_losses", terminated_at(stop))
        train(config, data, run.folder, resume=True, report=quiet)
    assert stopped.value.number == signal.SIGTERM
    saved = run.load_last(quiet)
    assert saved
    assert saved.position["step"] == stop
    assert saved.position["losses"].shape == (done, len(task.losses))
    train(config, data, run.folder, resume=True, report=quiet)
    assert result(run.folder) == result(straight.folder)


def test_every_model_is_here() -> None:
    assert {config.model for config in CONFIGS.values()} == set(TRAINED)
    # GAN, DCGAN and LSGAN differ in their networks and losses alone: one stands for all.
    assert {model for model, *_ in TRAININGS.values()} == set(TRAINED) - {"gan", "dcgan"}
