"""What is exported is the network, rounded, in a folder that stands for it."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pix2pix_ms.config.pix2pix import SEGMENTER, Config
from pix2pix_ms.data.facades import facade
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.exchange.export import export
from pix2pix_ms.pix2pix.measures.segmenter import Segmenter, load_segmenter
from pix2pix_ms.pix2pix.nets.patchgan import PatchGAN
from pix2pix_ms.pix2pix.step import Pix2Pix
from pix2pix_ms.pix2pix.translate import Translator, to_network
from pix2pix_ms.training import checkpoints
from tests.runs import output, refusal, saved


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, eager: Config) -> Path:
    """A run with everything a resume needs, its statistics not those of a new network."""
    model = Pix2Pix(eager)
    for name, parameter in model.parameters().items():
        if name.endswith(("moving_mean", "moving_variance")):
            parameter.set_data(parameter + 1e-9)
    folder = tmp_path_factory.mktemp("export") / "run"
    checkpoints.save(model.parameters().values(), checkpoints.last_of(folder), eager)
    return folder


def test_the_generator_alone_is_rounded_to_half(run: Path, tmp_path: Path, eager: Config) -> None:
    """And its folder stands for it."""
    out, beside = export(run, tmp_path / "mine" / "generator.safetensors")
    whole, _, _ = checkpoints.load(checkpoints.last_of(run))
    found, settings, position = checkpoints.load(out)
    assert (settings, position) == (eager, {})
    assert beside == tmp_path / "mine" / "config.json"
    assert found.keys() == {name for name in whole if name.startswith("generator.")}
    for name, parameter in found.items():
        array = whole[name].asnumpy()
        wanted = array.astype(np.float16).astype(np.float32) if array.ndim > 1 else array
        np.testing.assert_array_equal(parameter.asnumpy(), wanted, name)
    numbers = sum(whole[name].size for name in found)
    assert out.stat().st_size < 2.1 * numbers + 10_000
    x = to_network(facade(1, 64).label_map, (64, 64))[None]
    exact, rounded = (
        Translator(*checkpoints.load_generator(place))(x) for place in (run, tmp_path / "mine")
    )
    assert 0 < np.abs(exact - rounded).max() < 0.05


def test_a_segmenter_is_exported_too(tmp_path: Path) -> None:
    config = replace(SEGMENTER, size=64, ngf=4, jit=False)
    saved(Segmenter(config), replace(config, init_gain=0.3), tmp_path / "s.ckpt")
    export(tmp_path / "s.ckpt", tmp_path / "mine" / "segmenter.safetensors")
    photo = facade(1, 64).photo
    exact, rounded = (load_segmenter(tmp_path / name)(photo) for name in ("s.ckpt", "mine"))
    assert (exact == rounded).mean() > 0.95
    assert len(np.unique(exact)) > 1


def test_the_command_names_the_files(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "generator.safetensors"
    first, second = output("export", run, "--out", out).splitlines()
    assert first.startswith(f"{out}: 0.") and second.startswith(f"{tmp_path / 'config.json'}: ")


def test_files_may_be_read_by_whom_the_umask_lets(run: Path, tmp_path: Path) -> None:
    for umask, mode in ((0o022, 0o644), (0o077, 0o600)):
        before = os.umask(umask)
        try:
            out, beside = export(run, tmp_path / oct(umask) / "generator.safetensors")
        finally:
            os.umask(before)
        assert [path.stat().st_mode & 0o777 for path in (out, beside)] == [mode, mode]


def test_what_cannot_be_exported_leaves_nothing(run: Path, tmp_path: Path, eager: Config) -> None:
    judge = tmp_path / "d.ckpt"
    checkpoints.save(PatchGAN(eager).get_parameters(), judge, eager)
    refusal("export", run, "--out", tmp_path / "g.ckpt", about=tmp_path / "g.ckpt")
    refusal("export", judge, "--out", tmp_path / "d" / "d.safetensors", about=judge)
    assert [*tmp_path.iterdir()] == [judge]


def test_a_folder_with_two_or_none_or_without_its_config_is_no_checkpoint(
    run: Path, tmp_path: Path
) -> None:
    for number in (0, 2):
        for name in ("one", "two")[:number]:
            _, config = export(run, tmp_path / f"{name}.safetensors", force=True)
        with pytest.raises(Pix2PixError, match=f"{tmp_path}: .*, found {number} .safetensors"):
            checkpoints.load_generator(tmp_path)
    config.unlink()
    one = tmp_path / "one.safetensors"
    with pytest.raises(Pix2PixError, match=f"^{one}: expected "):
        checkpoints.load_generator(one)
