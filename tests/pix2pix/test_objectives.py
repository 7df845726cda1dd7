import math

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from pix2pix_ms.pix2pix import objectives

LOGITS = np.random.default_rng(1).normal(0, 4, (2, 1, 5, 5)).astype(np.float32)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z.astype(np.float64)))


@pytest.mark.parametrize("real", [True, False])
def test_vanilla_is_the_cross_entropy_of_the_sigmoid(real: bool) -> None:
    verdict = sigmoid(LOGITS)
    expected = -np.log(verdict if real else 1 - verdict).mean()
    assert float(objectives.vanilla(Tensor(LOGITS), real)) == pytest.approx(expected, rel=1e-5)


def test_an_undecided_discriminator_costs_log_2() -> None:
    nothing = Tensor(np.zeros((1, 1, 3, 3), np.float32))
    for real in (True, False):
        assert float(objectives.vanilla(nothing, real)) == pytest.approx(math.log(2), rel=1e-6)


def test_vanilla_stays_finite_where_the_sigmoid_would_not() -> None:
    sure = Tensor(np.full((1, 1, 2, 2), 200.0, np.float32))
    assert float(objectives.vanilla(sure, False)) == pytest.approx(200)
    assert float(objectives.vanilla(sure, True)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("real", [True, False])
def test_lsgan_is_the_squared_distance_to_the_verdict(real: bool) -> None:
    expected = ((LOGITS - float(real)) ** 2).mean()
    assert float(objectives.lsgan(Tensor(LOGITS), real)) == pytest.approx(expected, rel=1e-5)


def test_pixel_losses() -> None:
    a, b = (
        np.random.default_rng(s).uniform(-1, 1, (1, 3, 4, 4)).astype(np.float32) for s in (0, 1)
    )
    assert float(objectives.l1(Tensor(a), Tensor(b))) == pytest.approx(np.abs(a - b).mean())
    assert float(objectives.l2(Tensor(a), Tensor(b))) == pytest.approx(((a - b) ** 2).mean())


def test_softplus_repeats_to_the_bit_and_has_its_derivative() -> None:
    z = Tensor(LOGITS)
    assert len({objectives.softplus(z).asnumpy().tobytes() for _ in range(200)}) == 1
    gradient = ms.grad(objectives.softplus)(Tensor(np.append(LOGITS, 0).astype(np.float32)))
    np.testing.assert_allclose(gradient.asnumpy(), sigmoid(np.append(LOGITS, 0)), atol=1e-6)
