"""The optimisers against their published rules, written out in float64."""

from collections.abc import Callable

import numpy as np
import pytest
from mindspore import Tensor, nn

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.pix2pix.optimisers import adam, rmsprop

STEPS = 8
RNG = np.random.default_rng(3)
# None near 0, where it matters on which side of the root an epsilon stands.
GRADIENTS = RNG.uniform(0.05, 0.2, (STEPS, 5, 7)) * RNG.choice([-1, 1], (STEPS, 5, 7))
Rule = Callable[[np.ndarray], np.ndarray]


def adam_of(config: Config) -> Rule:
    """Kingma & Ba 2015, as the end of their section 2 has it, which is MindSpore's."""
    b1, b2 = config.beta1, config.beta2
    m = v = np.zeros(())
    step = 0

    def move(gradient: np.ndarray) -> np.ndarray:
        nonlocal m, v, step
        step += 1
        m, v = b1 * m + (1 - b1) * gradient, b2 * v + (1 - b2) * gradient**2
        return config.learning_rate * (1 - b2**step) ** 0.5 / (1 - b1**step) * m / (v**0.5 + 1e-8)

    return move


def rmsprop_of(config: Config) -> Rule:
    v = np.zeros(())

    def move(gradient: np.ndarray) -> np.ndarray:
        nonlocal v
        v = 0.99 * v + 0.01 * gradient**2
        return config.learning_rate * gradient / v**0.5

    return move


@pytest.mark.parametrize(
    ("make", "rule", "beta1"),
    [(adam, adam_of, 0.5), (adam, adam_of, 0.0), (rmsprop, rmsprop_of, 0.5)],
)
def test_steps_are_those_of_the_rule(
    make: Callable[..., nn.Optimizer], rule: Callable[[Config], Rule], beta1: float
) -> None:
    config = Config(beta1=beta1, beta2=0.9, learning_rate=1e-2)
    network = nn.Dense(7, 5, has_bias=False)
    optimiser = make(network, config)
    weight = network.weight.asnumpy().astype(np.float64)
    move = rule(config)
    for gradient in GRADIENTS:
        optimiser((Tensor(gradient.astype(np.float32)),))
        weight -= move(gradient)
        np.testing.assert_allclose(network.weight.asnumpy(), weight, atol=1e-6)
