"""The losses against their definitions in NumPy."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from pix2pix_ms.pix2pix import objectives
from tests.runs import noise

LOGITS = 8 * noise(2, 1, 5, 5).astype(np.float64)
SIGMOID = 1 / (1 + np.exp(-LOGITS))
# The loss of D's verdict on what is real, on what is not, G's loss, and its slope; each by pixel.
EXPECTED = {
    "vanilla": (-np.log(SIGMOID), -np.log(1 - SIGMOID), -np.log(SIGMOID), SIGMOID - 1),
    "minimax": (-np.log(SIGMOID), -np.log(1 - SIGMOID), np.log(1 - SIGMOID), -SIGMOID),
    "lsgan": ((LOGITS - 1) ** 2, LOGITS**2, (LOGITS - 1) ** 2, 2 * (LOGITS - 1)),
    "wgan": (-LOGITS, LOGITS, -LOGITS, -np.ones_like(LOGITS)),
}


@pytest.mark.parametrize("mode", EXPECTED)
def test_adversarial_losses_are_their_definitions(mode: str) -> None:
    logits, (real, fake, g, slope) = Tensor(LOGITS.astype(np.float32)), EXPECTED[mode]
    for is_real, wanted in ((True, real), (False, fake)):
        found = float(objectives.ADVERSARIAL[mode](logits, is_real))
        assert found == pytest.approx(wanted.mean(), rel=1e-5)
    value, gradient = ms.value_and_grad(lambda z: objectives.generator_loss(z, mode))(logits)
    assert float(value) == pytest.approx(g.mean(), rel=1e-5)
    np.testing.assert_allclose(gradient.asnumpy(), slope / LOGITS.size, atol=1e-6)


def test_vanilla_stays_finite_where_the_sigmoid_would_not() -> None:
    sure = Tensor(np.full((1, 1, 2, 2), 200.0, np.float32))
    assert float(objectives.vanilla(sure, False)) == pytest.approx(200)
    assert float(objectives.vanilla(sure, True)) == pytest.approx(0, abs=1e-6)


def test_pixel_losses() -> None:
    a, b = noise(2, 1, 3, 4, 4)
    assert float(objectives.l1(Tensor(a), Tensor(b))) == pytest.approx(np.abs(a - b).mean())
    assert float(objectives.l2(Tensor(a), Tensor(b))) == pytest.approx(((a - b) ** 2).mean())


def test_softplus_repeats_to_the_bit_and_has_its_derivative() -> None:
    z = Tensor(np.append(LOGITS, 0).astype(np.float32))
    assert len({objectives.softplus(z).asnumpy().tobytes() for _ in range(200)}) == 1
    gradient = ms.grad(objectives.softplus)(z).asnumpy()
    np.testing.assert_allclose(gradient, np.append(SIGMOID, 0.5), atol=1e-6)
