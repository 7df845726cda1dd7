"""The package against PyTorch: same weights, same masks, ten steps of both networks.

`parity.json` stores what PyTorch printed, so this runs without it; `make parity` installs PyTorch
and makes the comparison with it live, and with what is stored.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pix2pix_ms.config import Config, preset
from pix2pix_ms.pix2pix import Pix2Pix

STORED = Path(__file__).with_name("parity.json")
SMALL: dict[str, Any] = {"size": 64, "jitter_size": 72, "ngf": 8, "ndf": 8}
STEPS = 10
CASES: dict[str, Config] = {
    "batch": preset("paper", **SMALL),
    "instance, lsgan, l2": preset(
        "paper", **SMALL, norm="instance", gan_mode="lsgan", pixel_loss="l2"
    ),
    "no norm, batch of 2": preset("paper", **SMALL, norm="none", batch_size=2, n_layers=2),
    "pynative": preset("paper", **SMALL, jit=False),
}
# Ten steps through a GAN amplify rounding: measured 1e-6 (batch), 1.3e-4 (instance).
LOSS_TOLERANCE = {"batch": 1e-4, "instance": 1e-3, "none": 1e-4}
MOVE_TOLERANCE = 1e-2


def batches(config: Config) -> list[tuple[np.ndarray, np.ndarray]]:
    """The ten batches of a case, (x, y) float32 [N, 3, size, size]."""
    rng = np.random.default_rng(7)
    shape = (STEPS, 2, config.batch_size, 3, config.size, config.size)
    coarse = rng.uniform(-1, 1, shape).astype(np.float32)
    return [(x, np.roll(x, 5, -1) * y) for x, y in coarse]


def without_effect(name: str, config: Config) -> bool:
    """Instance normalisation takes away what a bias before it adds: its gradient is rounding."""
    outer = name.startswith(("generator.ups.5.", "generator.downs.0.", "generator.downs.5."))
    ends = name in ("discriminator.first.bias", "discriminator.last.bias")
    return config.norm == "instance" and name.endswith("bias") and not (outer or ends)


@pytest.mark.parametrize("case", CASES)
def test_ten_steps_equal_pytorch(case: str) -> None:
    config = CASES[case]
    stored = json.loads(STORED.read_text())[case]
    model = Pix2Pix(config)
    networks = [*model.generator.trainable_params(), *model.discriminator.trainable_params()]
    start = {p.name: p.asnumpy().copy() for p in networks}
    losses = [list(model.train_step(x, y)) for x, y in batches(config)]
    np.testing.assert_allclose(losses, stored["losses"], rtol=LOSS_TOLERANCE[config.norm])
    np.testing.assert_allclose(losses[0], stored["losses"][0], rtol=1e-5)
    assert start.keys() == stored["moved"].keys()
    for p in networks:
        if not without_effect(p.name, config):
            moved = np.linalg.norm(p.asnumpy() - start[p.name])
            assert moved == pytest.approx(stored["moved"][p.name], rel=MOVE_TOLERANCE), p.name


def test_what_is_stored_is_what_pytorch_says(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--live"):
        pytest.skip("make parity runs this with PyTorch installed")
    import parity_reference

    stored = json.loads(STORED.read_text())
    for case, config in CASES.items():
        live = parity_reference.reference(config)
        np.testing.assert_allclose(live["losses"], stored[case]["losses"], rtol=1e-3)
