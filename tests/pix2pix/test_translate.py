from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor
from PIL import Image

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.facades import facade
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.pix2pix.nets.blocks import set_statistics
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.nets.unet import UNet
from pix2pix_ms.pix2pix.translate import Translator, input_image, to_network, translate
from pix2pix_ms.training import checkpoints
from tests.runs import output, refusal, saved

MAP = facade(3, 64).label_map
X = to_network(MAP, (64, 64))[None]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, eager: Config) -> Path:
    return saved(UNet(eager), eager, tmp_path_factory.mktemp("run") / "checkpoints" / "last.ckpt")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three images, of which two are the same."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, seed in (("1", 1), ("2", 2), ("same", 1)):
        Image.fromarray(facade(seed, 64).label_map).save(folder / f"{name}.png")
    return folder


def test_folders_become_pngs_of_the_same_names(
    photos: Path, tmp_path: Path, checkpoint: Path
) -> None:
    """A run's folder stands for its last checkpoint; no image depends on the others."""
    written = translate([photos], tmp_path / "out", checkpoint.parents[1])
    assert [path.name for path in written] == ["1.png", "2.png", "same.png"]
    one, two, same = (path.read_bytes() for path in written)
    assert one == same != two
    (alone,) = translate([photos / "2.png"], tmp_path / "a", checkpoint)
    assert alone.read_bytes() == two
    (path,) = translate([photos / "2.png"], tmp_path / "b", checkpoint, side_by_side=True)
    both = np.asarray(Image.open(path))
    np.testing.assert_array_equal(both[:, :64], facade(2, 64).label_map)
    np.testing.assert_array_equal(both[:, 64:], np.asarray(Image.open(written[1])))


@pytest.mark.parametrize(("direction", "left"), [("AtoB", True), ("BtoA", False)])
def test_pairs_are_read_in_the_direction_of_training(
    tmp_path: Path, eager: Config, direction: Any, left: bool
) -> None:
    config = replace(eager, direction=direction)
    network = saved(UNet(config), config, tmp_path / "x.ckpt")
    pair, image = facade(1, 64), tmp_path / "pair.png"
    Image.fromarray(np.hstack(pair)).save(image)
    (path,) = translate([image], tmp_path / "out", network, side_by_side=True, pairs=True)
    shown = np.asarray(Image.open(path))[:, :64]
    np.testing.assert_array_equal(shown, pair.label_map if left else pair.photo)


@pytest.mark.parametrize("channels", [1, 4])
def test_pairs_of_any_shape_and_channels_are_read(
    tmp_path: Path, eager: Config, channels: int
) -> None:
    config = replace(eager, input_channels=channels)
    network = saved(UNet(config), config, tmp_path / "x.ckpt")
    pixels = np.zeros((20, 120, 4), np.uint8)  # transparent on the left
    pixels[:, 60:] = 255
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels).save(tmp_path / "in/pair.png")
    corner = input_image(tmp_path / "in/pair.png", config, True)[0, 0]
    assert (corner == (0, 255)[channels == 1]).all()
    (path,) = translate([tmp_path / "in"], tmp_path / "out", network, pairs=True)
    with Image.open(path) as image:
        assert image.size == (60, 20)
    Image.fromarray(pixels[:, :101]).save(tmp_path / "in/odd.png")
    with pytest.raises(Pix2PixError, match=r"odd\.png: expected an even width"):
        translate([tmp_path / "in"], tmp_path / "new", network, pairs=True)
    assert not (tmp_path / "new").exists()


def test_modes_differ_and_repeat(checkpoint: Path) -> None:
    generator, config = checkpoints.load_generator(checkpoint)
    paper, still = Translator(generator, config), Translator(generator, config, "eval")
    first = paper(X)
    for again in (paper(X), paper(X, index=1), Translator(generator, config)(X, index=1)):
        np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(still(X, index=0), still(X, index=1))
    assert not np.array_equal(still(X), first)
    np.testing.assert_array_equal(paper(X), first)
    with pytest.raises(Pix2PixError, match="^mode: "):
        Translator(generator, config, "other")  # type: ignore[arg-type]


def test_a_batch_has_the_masks_of_one_image(checkpoint: Path) -> None:
    """Without normalisation, which sees the whole batch, its images are translated alike."""
    _, config = checkpoints.load_generator(checkpoint)
    config = replace(config, norm="none")
    generator = UNet(config)
    initialise(generator, replace(config, init_gain=0.2))
    twice = Translator(generator, config)(np.concatenate([X, X]))
    np.testing.assert_array_equal(twice[0], twice[1])
    # Measured without AVX-512: 2e-5.
    np.testing.assert_allclose(twice[:1], Translator(generator, config)(X), atol=1e-4)
    each = Translator(generator, config, seed="each")(np.concatenate([X, X]))
    assert not np.array_equal(each[0], each[1])


def test_the_seed_decides_the_noise(photos: Path, tmp_path: Path, checkpoint: Path) -> None:
    """Files 1 and same are one image, so that only the masks may differ."""

    def made(*words: str) -> list[bytes]:
        out = tmp_path / "-".join(["out", *words])
        output("translate", photos, "--checkpoint", checkpoint, "--out", out, *words)
        return [path.read_bytes() for path in sorted(out.iterdir())]

    seeds = {seed: made("--seed", seed) for seed in ("0", "1")}
    assert all(first == same for first, _, same in seeds.values())
    assert seeds["0"][0] != seeds["1"][0]
    assert made() == seeds["0"]  # the seed it was trained with
    first, _, same = made("--seed", "each")
    assert first == seeds["0"][0] != same


def test_without_dropout_the_image_has_its_own_statistics(checkpoint: Path) -> None:
    generator, config = checkpoints.load_generator(checkpoint)
    set_statistics(generator, "batch")
    plain = generator(Tensor(X)).asnumpy()
    for seed in (0, 1):
        still = Translator(generator, replace(config, seed=seed), dropout=False)
        np.testing.assert_array_equal(still(X), plain)
        np.testing.assert_array_equal(still(X, index=3), plain)
    assert not np.array_equal(Translator(generator, config)(X), plain)
    assert not np.array_equal(Translator(generator, config, "eval")(X), plain)


@pytest.mark.parametrize(
    ("dropout", "words"),
    [
        (True, "--seed 1 --mode eval"),
        (True, "--seed each --no-dropout"),
        (True, "--no-dropout --mode eval"),
        (False, "--seed 1"),
        (False, "--no-dropout"),
    ],
)
def test_noise_that_would_change_nothing_is_refused(
    photos: Path, tmp_path: Path, eager: Config, dropout: bool, words: str
) -> None:
    config = replace(eager, dropout=dropout)
    place = saved(UNet(config), config, tmp_path / "x.ckpt")
    options = ["translate", photos, "--checkpoint", place, "--out", tmp_path / "out"]
    first, *others = words.split()
    assert refusal(*options, first, *others).endswith(f"leave {first} out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("inputs", "subject"),
    [
        (["photos"], "photos/3.png"),
        (["empty"], "empty"),
        (["none.png"], "none.png"),
        (["photos/1.png", "1.png"], "1.png"),
    ],
)
def test_inputs_that_cannot_be_used_write_nothing(
    photos: Path, tmp_path: Path, checkpoint: Path, inputs: list[str], subject: str
) -> None:
    (tmp_path / "empty").mkdir()
    (photos / "3.png").write_text("hello")
    (tmp_path / "1.png").write_bytes((photos / "1.png").read_bytes())
    places = [tmp_path / name for name in inputs]
    words = ("--checkpoint", checkpoint, "--out", tmp_path / "out")
    refusal("translate", *places, *words, about=f"{tmp_path / subject}: expected ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_an_input_is_never_replaced(photos: Path, checkpoint: Path, force: list[str]) -> None:
    before = (photos / "1.png").read_bytes()
    words = ("--checkpoint", checkpoint, "--out", photos, *force)
    assert "is an input" in refusal("translate", photos, *words, about=photos)
    assert (photos / "1.png").read_bytes() == before


def test_weights_loaded_later_reach_a_compiled_network(checkpoint: Path, tiny: Config) -> None:
    generator = UNet(tiny)
    initialise(generator, replace(tiny, seed=5))
    translator = Translator(generator, tiny, "eval")
    before = translator(X)
    found, theirs, _ = checkpoints.load(checkpoint)
    checkpoints.fill(generator.parameters_dict(), found, checkpoint, (tiny, theirs))
    expected = Translator(checkpoints.load_generator(checkpoint)[0], tiny, "eval")(X)
    assert not np.array_equal(before, expected)
    np.testing.assert_array_equal(translator(X), expected)
