"""A checkpoint comes back as it was saved; damaged ones in numbers are in faults/."""

from dataclasses import replace
from pathlib import Path
from typing import Any

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
    """Also through MindSpore's own functions."""
    loaded, config = checkpoints.load_generator(file)
    assert config == tiny
    for name, parameter in generator.parameters_dict().items():
        found = loaded.parameters_dict()[name]
        np.testing.assert_array_equal(parameter.asnumpy(), found.asnumpy())
    assert checkpoints.load(file)[2] == {"epoch": 3, "step": 30}
    assert [path.name for path in file.parent.iterdir()] == [file.name]

    parameters = ms.load_checkpoint(str(file))
    missing, _ = ms.load_param_into_net(UNet(tiny), parameters)
    assert missing == []
    assert Config.from_json(parameters["config"], "") == tiny


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ngf": 8}, r"\[8, 3, 4, 4\], found \[4, 3, 4, 4\]; the network has ngf 8, .* ngf 4"),
        ({"norm": "instance"}, r"bias \[\d+\], found no such parameter; .*norm instance"),
    ],
)
def test_another_architecture_is_named(
    file: Path, tiny: Config, changes: dict[str, Any], words: str
) -> None:
    config = replace(tiny, **changes)
    network = UNet(config)
    before = network.downs[0].conv.weight.asnumpy().copy()
    with pytest.raises(Pix2PixError, match=words):
        found, theirs, _ = checkpoints.load(file)
        checkpoints.fill(network.parameters_dict(), found, file, (config, theirs))
    np.testing.assert_array_equal(network.downs[0].conv.weight.asnumpy(), before)


def test_files_that_are_no_checkpoints_are_refused(tmp_path: Path, generator: UNet) -> None:
    (tmp_path / "text.ckpt").write_bytes(b"hello")
    (tmp_path / "empty.ckpt").write_bytes(b"")
    ms.save_checkpoint(generator, str(tmp_path / "without_config.ckpt"))
    for name in ("text", "empty", "without_config", "missing"):
        with pytest.raises(Pix2PixError, match=f"^{tmp_path}/{name}.ckpt: expected .*checkpoint"):
            checkpoints.load_generator(tmp_path / f"{name}.ckpt")


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
