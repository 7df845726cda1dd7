"""CycleGAN: the step is the textbook's, the pool the reference's."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, ops

from pix2pix_ms.config.family import CycleGANConfig
from pix2pix_ms.family.cyclegan.step import CycleGAN, ImagePool, Losses
from pix2pix_ms.pix2pix.nets.patchgan import PatchGAN
from pix2pix_ms.pix2pix.nets.unet import parameter_count
from tests.every_model import values
from tests.runs import noise

TINY = CycleGANConfig(
    size=16, jitter_size=18, n_blocks=1, ngf=4, ndf=4, n_layers=1, pool_size=2, jit=False
)
NETWORKS = ("generator_AtoB", "generator_BtoA", "discriminator_A", "discriminator_B")


def test_four_networks_have_different_names_and_weights() -> None:
    model = CycleGAN(TINY)
    parameters = model.parameters()
    assert {name.split(".")[0] for name in parameters} >= {*NETWORKS, "pool_A", "pool_B"}
    kept = {name.split(".")[0] for name in model.inference_parameters()}
    assert kept == set(NETWORKS[:2])
    starts = [parameters[f"{name}.first.conv.weight"].asnumpy() for name in NETWORKS[:2]]
    assert not np.array_equal(*starts)
    assert parameter_count(PatchGAN(CycleGANConfig())) == 2_764_737  # as the reference's


def plain(model: CycleGAN, a: Tensor, b: Tensor, shown: Any) -> Losses:
    """One step as a textbook writes it: least squares, every image generated anew."""
    config, g, f = model.config, model.generator("AtoB"), model.generator("BtoA")
    d_a, d_b = model.discriminators.a, model.discriminators.b
    fake_a, fake_b = f(b), g(a)

    def generators() -> tuple[Tensor, ...]:
        g_a, g_b = ((d_a(b, f(b)) - 1) ** 2).mean(), ((d_b(a, g(a)) - 1) ** 2).mean()
        cycle_a, cycle_b = ops.abs(f(g(a)) - a).mean(), ops.abs(g(f(b)) - b).mean()
        identity_a, identity_b = ops.abs(f(a) - a).mean(), ops.abs(g(b) - b).mean()
        loss = g_a + g_b + 10 * (cycle_a + cycle_b) + 5 * (identity_a + identity_b)
        return loss, g_a, g_b, cycle_a, cycle_b, identity_a, identity_b

    def discriminators() -> tuple[Tensor, ...]:
        of_a = (((d_a(b, a) - 1) ** 2).mean() + (d_a(b, shown_a) ** 2).mean()) / 2
        of_b = (((d_b(a, b) - 1) ** 2).mean() + (d_b(a, shown_b) ** 2).mean()) / 2
        return of_a + of_b, of_a, of_b

    assert (config.lambda_cycle, config.lambda_identity) == (10, 0.5)
    (_, *terms), grads = ms.value_and_grad(generators, None, model.optim_g.parameters, True)()
    model.optim_g(grads)
    shown_a, shown_b = (Tensor(image) for image in shown(fake_a.asnumpy(), fake_b.asnumpy()))
    (_, *judged), grads = ms.value_and_grad(discriminators, None, model.optim_d.parameters, True)()
    model.optim_d(grads)
    return Losses(*(float(term.asnumpy()) for term in (*judged, *terms)))


def textbook_pool(model: CycleGAN) -> Any:
    """The pools as lists in Python, with the same draws."""
    stored: tuple[list[np.ndarray], ...] = ([], [])

    def shown(*generated: np.ndarray) -> list[np.ndarray]:
        out = []
        for number, (pool, image) in enumerate(zip(stored, generated, strict=True)):
            places, past = model.pools[number].draw(model.step, 1, model.config.seed, number)
            place = int(places.asnumpy()[0])
            out.append(pool[place] if past.asnumpy()[0] else image)
            if len(pool) < model.config.pool_size:
                assert place == len(pool)
                pool.append(image)
            elif past.asnumpy()[0]:
                pool[place] = image
        return out

    return shown


def test_the_step_is_the_textbooks() -> None:
    """In losses and in the weights of all four networks, which move by more than the tolerance."""
    ours, theirs = CycleGAN(TINY), CycleGAN(TINY)
    start, shown = values(ours), textbook_pool(theirs)
    for step in range(4):
        a, b = noise(2, 1, 3, 16, 16, seed=step)
        theirs.step += 1
        expected = plain(theirs, Tensor(a), Tensor(b), shown)
        np.testing.assert_allclose(ours.train_step(a, b), expected, rtol=2e-3)
    now, wanted = values(ours), values(theirs)
    for network in NETWORKS:
        names = [name for name in now if name.startswith(network)]
        before, found, plainly = (
            np.concatenate([each[name].ravel() for name in names]) for each in (start, now, wanted)
        )
        assert np.linalg.norm(found - plainly) < 2e-3 * np.linalg.norm(plainly)
        assert np.linalg.norm(found - before) > 1e-2 * np.linalg.norm(plainly)


@pytest.mark.parametrize(
    ("changes", "computed"),
    [({"lambda_cycle": 0, "norm": "batch"}, 4), ({"lambda_identity": 0}, 6)],
)
def test_non_square_batches_and_weights_of_zero(changes: dict[str, Any], computed: int) -> None:
    """The identity's weight is a multiple of the cycle's."""
    config = replace(TINY, height=16, width=24, batch_size=2, **changes)
    losses = CycleGAN(config).train_step(*noise(2, 2, 3, 16, 24))
    assert np.isfinite(losses[:computed]).all()
    assert np.isnan(losses[computed:]).all()


def pooled(size: int, steps: int) -> tuple[list[float], ImagePool]:
    """Show a pool the numbers 1, 2, ... as images and return what it shows."""
    config = replace(TINY, size=8, jitter_size=8, pool_size=size)
    pool = ImagePool(config, "pool")
    shown = []
    for step in range(1, steps + 1):
        new = Tensor(np.full((1, 3, 8, 8), step, np.float32))
        shown.append(float(pool(new, *pool.draw(step, 1, 0)).asnumpy()[0, 0, 0, 0]))
    return shown, pool


def test_a_pool_shows_its_first_images_then_half_from_the_past() -> None:
    shown, pool = pooled(20, 220)
    assert shown[:20] == [*range(1, 21)]
    past = [image for step, image in enumerate(shown, 1) if image != step]
    assert 70 < len(past) < 130  # of 200
    assert len(past) == len(set(past))  # what was shown has left the pool
    stored = set(pool.images.asnumpy()[:20, 0, 0, 0].tolist())
    assert not stored & set(past)
    assert len(stored) == 20
    assert pooled(0, 9)[0] == [*range(1, 10)]  # of size 0


def test_a_pool_takes_a_batch_image_by_image() -> None:
    pool = ImagePool(replace(TINY, size=8, jitter_size=8, pool_size=3), "pool")
    new = np.arange(1, 5, dtype=np.float32).reshape(4, 1, 1, 1).repeat(3, 1).repeat(8, 2)
    places, _ = pool.draw(1, 4, 0)
    assert places.asnumpy()[:3].tolist() == [0, 1, 2]
    images = Tensor(new.repeat(8, 3))
    shown = pool(images, Tensor([0, 1, 2, 1], ms.int32), Tensor([0.0, 0, 0, 1])).asnumpy()
    assert shown[:, 0, 0, 0].tolist() == [1, 2, 3, 2]
    assert pool.images.asnumpy()[:3, 0, 0, 0].tolist() == [1, 4, 3]


FAILING = """
from test_cyclegan import CycleGAN, TINY, Tensor, noise
from pix2pix_ms.pix2pix.nets.resnet import Layer

a, b = noise(2, 1, 3, 16, 16)
undisturbed, construct = CycleGAN(TINY).train_step(a, b), Layer.construct
for _ in range(2):  # the second one is what MindSpore 2.8 cannot forget
    Layer.construct = lambda *_: 1 / 0
    try:
        CycleGAN(TINY).train_step(a, b)
    except ZeroDivisionError:
        Layer.construct = construct
try:
    Tensor([0.0])[0]
except TypeError as error:
    print(str(error).split(chr(10))[0])
assert CycleGAN(TINY).train_step(a, b) == undisturbed
"""


def test_steps_that_fail_change_no_later_one() -> None:
    """In a process of its own, which is not the same afterwards."""
    tests = str(Path(__file__).parent)
    found = subprocess.run(
        [sys.executable, "-c", FAILING], text=True, capture_output=True, check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([tests, *filter(None, sys.path)])},
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    # Where a release says nothing here, a pool may take integers for indices again.
    assert found.stdout.startswith("Only support integers, slices"), found.stdout
