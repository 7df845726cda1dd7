from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.nets.unet import UNet
from pix2pix_ms.training import checkpoints


@pytest.fixture
def generator(tiny: Config) -> UNet:
    network = UNet(tiny)
    initialise(network, tiny)
    return network


@pytest.fixture
def file(tmp_path: Path, generator: UNet, tiny: Config) -> Path:
    path = tmp_path / "epoch_003.ckpt"
    checkpoints.save(generator.get_parameters(), path, tiny, epoch=3, step=30)
    return path


def test_what_is_saved_comes_back(file: Path, generator: UNet, tiny: Config) -> None:
    loaded, config = checkpoints.load_generator(file)
    assert config == tiny
    for name, parameter in generator.parameters_dict().items():
        found = loaded.parameters_dict()[name]
        np.testing.assert_array_equal(parameter.asnumpy(), found.asnumpy())
    assert checkpoints.load(file)[2] == {"epoch": 3, "step": 30}


def test_mindspores_own_functions_read_it(file: Path, tiny: Config) -> None:
    parameters = ms.load_checkpoint(str(file))
    left, _ = ms.load_param_into_net(UNet(tiny), parameters)
    assert left == []
    assert Config.from_json(parameters["config"], "") == tiny


def test_nothing_but_the_checkpoint_is_left(file: Path) -> None:
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_another_architecture_is_named(file: Path, tiny: Config) -> None:
    wider = replace(tiny, ngf=8)
    network = UNet(wider)
    before = network.downs[0].conv.weight.asnumpy().copy()
    with pytest.raises(Pix2PixError) as found:
        checkpoints.load_into(network, file, wider)
    words = str(found.value)
    assert "expected generator.downs.0.conv.weight [8, 3, 4, 4], found [4, 3, 4, 4]" in words
    assert "the network has ngf 8, the checkpoint ngf 4" in words
    np.testing.assert_array_equal(network.downs[0].conv.weight.asnumpy(), before)


def test_a_missing_parameter_is_named(file: Path, tiny: Config) -> None:
    network = UNet(replace(tiny, norm="instance"))
    with pytest.raises(
        Pix2PixError, match=r"bias \[\d+\], found no such parameter; .*norm instance"
    ):
        checkpoints.load_into(network, file, replace(tiny, norm="instance"))


def test_files_that_are_no_checkpoints_are_explained(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 0xFF
    cases = {
        "cut.ckpt": whole[: len(whole) // 2],
        "changed.ckpt": bytes(changed),
        "text.ckpt": b"hello",
        "empty.ckpt": b"",
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Pix2PixError, match=f"{name}: expected a .*checkpoint") as found:
            checkpoints.load_generator(tmp_path / name)
        assert "\n" not in str(found.value)
    with pytest.raises(Pix2PixError, match="expected a checkpoint, found none"):
        checkpoints.load_generator(tmp_path / "missing.ckpt")


def test_a_checkpoint_without_our_config_is_explained(tmp_path: Path, generator: UNet) -> None:
    path = tmp_path / "bare.ckpt"
    ms.save_checkpoint(generator, str(path))
    with pytest.raises(Pix2PixError, match="with the config of a pix2pix_ms run in it"):
        checkpoints.load_generator(path)


def test_a_failed_save_leaves_the_older_checkpoint(
    file: Path, generator: UNet, tiny: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(checkpoints.ms, "save_checkpoint", fail)
    with pytest.raises(OSError, match="disk full"):
        checkpoints.save(generator.get_parameters(), file, tiny)
    assert file.read_bytes() == before
