"""Composed upsampling and the averaged generator, in training and exported."""

from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.facades import facade
from pix2pix_ms.data.pair_batches import TrainingData
from pix2pix_ms.pix2pix.nets import blocks
from pix2pix_ms.pix2pix.nets.unet import UNet
from pix2pix_ms.pix2pix.step import Pix2Pix
from pix2pix_ms.pix2pix.translate import Translator, to_network
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.epochs import train
from tests.runs import noise, output


@pytest.fixture(scope="module")
def composed(eager: Config) -> Config:
    return replace(eager, upsampling="composed", ema=0.9, epochs=2, save_every=1)


@pytest.fixture(scope="module")
def run(composed: Config, data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(composed, data, tmp_path_factory.mktemp("runs") / "run").folder


def layer() -> nn.Cell:
    cell = blocks.upconvolution(5, 7, True, composed=True)
    cell.weight.set_data(Tensor(noise(5, 7, 3, 3)))
    cell.bias.set_data(Tensor(noise(7)))
    return cell


def test_it_is_resizing_and_a_convolution() -> None:
    """Nearest-neighbour by NumPy, a 3x3 convolution of the kernel turned round, borders too."""
    cell, x = layer(), noise(2, 5, 4, 6)
    resized = Tensor(x.repeat(2, axis=2).repeat(2, axis=3))
    kernel = Tensor(np.ascontiguousarray(cell.weight.asnumpy()[:, :, ::-1, ::-1].swapaxes(0, 1)))
    wanted = ops.conv2d(resized, kernel, cell.bias, pad_mode="pad", padding=1).asnumpy()
    np.testing.assert_allclose(cell(Tensor(x)).asnumpy(), wanted, atol=2e-5)


@pytest.mark.slow
def test_a_checkpoint_leaves_folded_and_averaged(
    run: Path, composed: Config, tmp_path: Path
) -> None:
    """The run, its last copy and its exports translate alike, and a plain U-Net reads them."""
    x = to_network(facade(1, 64).label_map, (64, 64))[None]
    found, _, _ = checkpoints.load(checkpoints.last_of(run))
    model = Pix2Pix(composed)
    checkpoints.fill(model.parameters(), found, run, (composed, composed))
    wanted = Translator(model.translating, composed)(x)
    trained = Translator(model.generator, composed)(x)
    assert np.abs(wanted - trained).max() > 1e-3, "the average is not the trained generator"

    kept = run / "checkpoints" / "epoch_002.ckpt"
    plain = UNet(Config.from_json(ms.load_checkpoint(str(kept))["config"], "kept"))
    weights = ms.load_checkpoint(str(kept))
    missing, _ = ms.load_param_into_net(plain, weights)
    assert not missing, "MindSpore's own calls fill a plain U-Net"
    pth, ours = tmp_path / "latest_net_G.pth", tmp_path / "ours.ckpt"
    output("convert", run, pth)
    output("convert", pth, ours, "--size", 64)
    for place in (run, kept, ours):
        generator, config = checkpoints.load_generator(place)
        assert (config.upsampling, config.ema) == ("transposed", 0)
        shapes = {p.name: p.shape for p in generator.get_parameters()}
        assert shapes == {p.name: p.shape for p in plain.get_parameters()}
        np.testing.assert_allclose(Translator(generator, config)(x), wanted, atol=1e-5)


def test_inner_learns_the_last_kernel_whole(composed: Config) -> None:
    sides = [up.conv.weight.shape[2] for up in UNet(replace(composed, upsampling="inner")).ups]
    assert sides == [3] * (len(sides) - 1) + [4]
    assert {up.conv.weight.shape[2] for up in UNet(composed).ups} == {3}


@pytest.mark.slow
def test_the_average_follows(composed: Config) -> None:
    """By hand: the fourth power of 5/14 of the old after step 4, of 9/18 after step 8."""
    model = Pix2Pix(composed)
    assert model.average is not None
    name = "generator.ups.0.conv.weight"
    x, y = noise(2, 2, 3, 64, 64)
    expected = model.generator.parameters_dict()[name].asnumpy().copy()
    for step in range(1, 10):
        model.train_step(x, y)
        if step in (4, 8):
            now = model.generator.parameters_dict()[name].asnumpy()
            expected = now + ((1 + step) / (10 + step)) ** 4 * (expected - now)
    average = model.average.generator.parameters_dict()[f"{checkpoints.AVERAGE}{name}"]
    np.testing.assert_allclose(average.asnumpy(), expected, atol=1e-6)
