"""Mixed precision on a CPU, where float16 runs too: what it computes, scales, skips and keeps."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from pix2pix_ms.config.models import preset
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.pair_batches import TrainingData
from pix2pix_ms.machine import precision
from pix2pix_ms.machine.precision import LossScaled, array_of, gradient_step
from pix2pix_ms.pix2pix.optimisers import adam
from pix2pix_ms.pix2pix.step import Pix2Pix
from pix2pix_ms.training.epochs import train
from tests.every_model import CONFIGS, built, images, losses, values
from tests.runs import TINY, refused

LEVELS = ("O2", "O3", "auto")
SMALL = Config(size=16, jitter_size=16, batch_size=2, ngf=4, ndf=4, n_layers=1, jit=False)
X, Y = images(0, 16), images(1, 16)


@pytest.fixture
def low_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scale at which nothing overflows."""
    monkeypatch.setattr(precision, "FIRST_SCALE", 2.0**8)


def test_full_precision_adds_nothing() -> None:
    model = Pix2Pix(SMALL)
    assert precision.mixed(model.generator, SMALL) is model.generator
    assert isinstance(model.optim_g, nn.Adam)
    assert precision.accounting(model.parameters()) == {}


@pytest.mark.slow
@pytest.mark.usefixtures("low_scale")
@pytest.mark.parametrize("level", LEVELS)
def test_layers_compute_in_halves_and_losses_weights_and_statistics_do_not(level: str) -> None:
    full, model = Pix2Pix(SMALL), Pix2Pix(replace(SMALL, amp=level))
    ours, theirs = (np.array([m.train_step(X, Y) for _ in range(4)]) for m in (model, full))
    assert np.any(ours != theirs)  # halves were at work
    np.testing.assert_allclose(ours, theirs, rtol=2e-2)
    kinds = {str(value.dtype) for value in model.parameters().values()}
    assert kinds == {"Float32", "Int32"}
    for name, value in values(full).items():
        if "moving" in name:  # followed, and not rounded to halves
            found = model.parameters()[name].asnumpy()
            np.testing.assert_allclose(found, value, atol=2e-3)
            assert np.any(found != found.astype(np.float16).astype(np.float32))
    if level != "auto":  # which changes operators, not layers
        h = model.generator.downs[0].conv(Tensor(X))
        assert h.dtype == ms.float16
    assert array_of(model.generator(Tensor(X))).dtype == np.float32


def scaled_dense(scale: float) -> tuple[nn.Dense, LossScaled]:
    network = nn.Dense(3, 2, weight_init="ones", has_bias=False)
    return network, LossScaled(adam(network, Config(learning_rate=0.1)), scale)


def updating(network: nn.Dense, optimiser: Any, jit: bool) -> Callable[..., Tensor]:
    def loss(x: Tensor) -> tuple[Tensor, Tensor]:
        value = (network(x) ** 2).mean()
        return value, value

    update = gradient_step(loss, optimiser)

    def step(x: Tensor) -> Tensor:
        return update(x)[0]

    return ms.jit(step) if jit else step


@pytest.mark.parametrize("jit", [True, False])
def test_a_scaled_step_is_the_plain_step_and_an_infinite_one_is_none(jit: bool) -> None:
    """Also the next one, so that Adam's moments and its count of steps were not touched either."""
    rng = np.random.default_rng(5)
    good = [Tensor(rng.normal(size=(4, 3)).astype(np.float32)) for _ in range(3)]
    bad = Tensor(np.full((4, 3), np.inf, np.float32))
    plain = nn.Dense(3, 2, weight_init="ones", has_bias=False)
    expected = updating(plain, adam(plain, Config(learning_rate=0.1)), jit)
    network, optimiser = scaled_dense(1024.0)
    step = updating(network, optimiser, jit)
    for x in (good[0], good[1]):
        assert float(step(x)) == pytest.approx(float(expected(x)), rel=1e-6)
    before = {p.name: p.asnumpy().copy() for p in optimiser.optimiser.get_parameters()}
    step(bad)
    for p in optimiser.optimiser.get_parameters():
        np.testing.assert_array_equal(p.asnumpy(), before[p.name], p.name)
    assert float(optimiser.loss_scale) == 512
    assert int(optimiser.skipped) == 1
    for x in (good[2], good[0]):
        assert float(step(x)) == pytest.approx(float(expected(x)), rel=1e-6)
    np.testing.assert_allclose(network.weight.asnumpy(), plain.weight.asnumpy(), atol=1e-6)
    assert (float(optimiser.loss_scale), int(optimiser.skipped)) == (512, 1)


def test_the_scale_grows_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "WINDOW", 2)
    network, optimiser = scaled_dense(4.0)
    step = updating(network, optimiser, jit=False)
    scales = []
    for _ in range(4):
        step(Tensor(np.ones((1, 3), np.float32)))
        scales.append(float(optimiser.loss_scale))
    assert scales == [4, 8, 8, 16]


@pytest.mark.usefixtures("low_scale")
@pytest.mark.parametrize("side", ["generator", "discriminator"])
def test_each_network_has_a_scale_and_a_finite_check_of_its_own(side: str) -> None:
    model = Pix2Pix(replace(SMALL, amp="O2"))
    optimiser = model.optim_g if side == "generator" else model.optim_d
    optimiser.loss_scale.set_data(Tensor(2.0**40, ms.float32))  # above what halves hold
    before = values(model)
    model.train_step(X, Y)
    after = values(model)
    moved = {
        network: any(np.any(before[n] != after[n]) for n in before
                     if n.startswith(f"{network}.") and n.endswith("weight"))
        for network in ("generator", "discriminator")
    }  # fmt: skip
    assert moved == {"generator": side != "generator", "discriminator": side != "discriminator"}
    assert float(optimiser.loss_scale) == 2.0**39
    assert precision.accounting(model.parameters())["skipped_updates"] == 1


@pytest.mark.slow
@pytest.mark.usefixtures("low_scale")
@pytest.mark.parametrize("name", ["pix2pix alone", "gan", "dcgan", "lsgan", "wgan", "cyclegan"])
def test_the_relatives_train_with_it(name: str) -> None:
    full, mixed = (
        losses(built(replace(CONFIGS[name], jit=False, amp=level)), end=2) for level in ("O0", "O2")
    )
    assert full != mixed
    np.testing.assert_allclose(mixed, full, rtol=3e-2, atol=5e-3)


@pytest.mark.slow
@pytest.mark.usefixtures("light")
def test_a_run_reports_and_logs_the_updates_it_skipped(
    tmp_path: Path, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "FIRST_SCALE", 2.0**20)  # too large: the first overflow
    config = preset("quick", **TINY | {"batch_size": 5, "epochs": 1, "amp": "O2"})
    said: list[str] = []
    log = train(config, data, tmp_path / "run", report=said.append).log()
    skipped = [row["skipped_updates"] for row in log]
    assert skipped[0] == 0 < skipped[1]
    assert f"skipped {skipped[1]} updates, loss scale {log[1]['loss_scale']:.0f}" in said[2]


def test_bfloat16_is_refused_on_a_cpu() -> None:
    with refused("amp_dtype: expected float16 on a CPU, found bfloat16"):
        Pix2Pix(replace(SMALL, amp="O2", amp_dtype="bfloat16"))
