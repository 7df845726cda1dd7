"""Images that are not square, or not RGB, all the way: record, batches, networks, translation."""

import dataclasses
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor
from PIL import Image

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.facades import facade
from pix2pix_ms.data.images import MODES, Pair, channelled, fitted, to_pixels
from pix2pix_ms.data.lab import lab_of, lightness
from pix2pix_ms.data.pair_batches import epoch_data, plain_data, settings_of, training_data, whole
from pix2pix_ms.data.records import Record, open_record, read_record, rows_of
from pix2pix_ms.data.writing import write_record
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.pix2pix.nets.unet import UNet
from pix2pix_ms.pix2pix.step import Pix2Pix
from pix2pix_ms.pix2pix.translate import Translator, translate, triples
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.epochs import train
from pix2pix_ms.training.figures import image_grid, pixels, sample_grid

RNG = np.random.default_rng(8)


def noise(height: int, width: int, channels: int) -> np.ndarray:
    small = RNG.integers(0, 256, (height // 8, width // 8, channels), dtype=np.uint8)
    return np.kron(small, np.ones((8, 8, 1), np.uint8))


def recorded(folder: Path, pairs: Iterable[Any], colours: Any = "rgb") -> Record:
    """Write images, or pairs of them, to a record, and open it."""
    pairs = [each if isinstance(each, tuple) else (each, each) for each in pairs]
    named = [Pair(a, b, f"p{number}") for number, (a, b) in enumerate(pairs)]
    write_record(named, folder / "train.mindrecord", colours)
    return open_record(folder / "train.mindrecord")


def noisy(folder: Path, *channels: int) -> Record:
    return recorded(folder, [tuple(noise(32, 64, c) for c in channels) for _ in range(4)])


def rows(record: Record, config: Config) -> list[dict[str, np.ndarray]]:
    return list(rows_of(plain_data(whole(record), config), record.path))


@pytest.fixture
def wide(eager: Config) -> Config:
    return replace(eager, height=32, width=64, jitter_size=72, n_layers=1)


@pytest.mark.parametrize(
    ("channels", "direction"), [((1, 3), "AtoB"), ((1, 3), "BtoA"), ((2, 4), "AtoB")], ids=str
)
def test_every_number_of_channels_trains(
    tmp_path: Path, wide: Config, channels: tuple[int, int], direction: Any
) -> None:
    """Their values are exact at the size of the data."""
    record = noisy(tmp_path, *channels)
    config = replace(wide, direction=direction, **settings_of(record, direction))
    x_channels, y_channels = channels if direction == "AtoB" else channels[::-1]
    assert (config.input_channels, config.target_channels) == (x_channels, y_channels)
    (first, *_) = rows_of(epoch_data(whole(record), config, 1), record.path)
    assert first["x"].shape == (1, x_channels, 32, 64)
    assert first["y"].shape == (1, y_channels, 32, 64)
    assert np.isfinite(Pix2Pix(config).train_step(first["x"], first["y"])).all()
    for row, pair in zip(rows(record, config), read_record(record.path), strict=True):
        x = pair.a if direction == "AtoB" else pair.b
        np.testing.assert_allclose(row["x"][0], np.moveaxis(x / 127.5 - 1, -1, 0), atol=1e-6)


def test_other_channels_than_the_networks_are_refused(tmp_path: Path, wide: Config) -> None:
    record = noisy(tmp_path, 1, 3)
    with pytest.raises(Pix2PixError, match="train.mindrecord: .* input_channels 3.* found 1"):
        train(wide, training_data(record.path, 0), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_grey_and_rgb_resize_alike(tmp_path: Path, tiny: Config) -> None:
    """MindSpore resizes the one, Pillow the other."""
    grey = RNG.integers(0, 256, (48, 80, 1), dtype=np.uint8)
    record = recorded(tmp_path, [(grey, channelled(grey, 3))] * 2)
    row = rows(record, replace(tiny, **settings_of(record, "AtoB")))[0]
    np.testing.assert_allclose(row["x"][0, 0], row["y"][0, 1], atol=2.1 / 127.5)


def test_the_crop_is_one_window_of_both_sides(tmp_path: Path, wide: Config) -> None:
    """Rows and columns are numbered in the image: the window must move along both sides."""
    across, down = np.meshgrid(np.arange(72), np.arange(36))
    image = np.stack([down * 7, across * 3, 0 * down], -1).astype(np.uint8)
    record, config = recorded(tmp_path, [image] * 12), replace(wide, mirror=False)
    assert config.jitter_shape == (36, 72)
    found = [row["x"][0] for row in rows_of(epoch_data(whole(record), config, 1), record.path)]
    tops, lefts = ({round(float(x[c, 0, 0] + 1) * 127.5) for x in found} for c in (0, 1))
    assert tops <= {7 * top for top in range(5)} and len(tops) > 2
    assert lefts <= {3 * left for left in range(9)} and len(lefts) > 3


@pytest.mark.parametrize(
    ("fit", "size"), [("resize", (30, 15)), ("pad", (15, 15)), ("crop", (30, 30))]
)
def test_fit_keeps_the_proportions_or_not(fit: Any, size: tuple[int, int]) -> None:
    """A disc of diameter 30 in an image of 40x80."""
    rows, columns = np.mgrid[0:40, 0:80]
    disc = 255 * ((rows - 19.5) ** 2 + (columns - 39.5) ** 2 < 15**2)
    found = fitted(disc.astype(np.uint8)[..., None], (40, 40), fit)[..., 0] > 127
    assert found.shape == (40, 40)
    if fit == "pad":  # beyond its rows it is mirrored
        found[:10], found[30:] = False, False
    np.testing.assert_allclose(np.ptp(np.nonzero(found), axis=1) + 1, size, atol=1)


def test_padding_mirrors_the_edge() -> None:
    image = RNG.integers(0, 256, (16, 64, 3), dtype=np.uint8)
    found = fitted(image, (64, 64), "pad")
    np.testing.assert_array_equal(found[24:40], image)
    np.testing.assert_array_equal(found[23], image[0])
    huge = np.zeros((2, 60_000, 3), np.uint8)
    assert fitted(huge, (64, 64), "pad").shape == (64, 64, 3), "needs no more room than this"


@pytest.mark.parametrize(("fit", "bright"), [("pad", 0.5), ("crop", 1.0)])
def test_the_pipeline_fits_both_images(
    tmp_path: Path, tiny: Config, fit: Any, bright: float
) -> None:
    image = np.zeros((64, 128, 3), np.uint8)
    image[:, 32:96] = 255  # the middle, as square as the network
    for row in rows(recorded(tmp_path, [image] * 2), replace(tiny, fit=fit)):
        np.testing.assert_array_equal(row["x"], row["y"])
        assert (row["x"] > 0).mean() == pytest.approx(bright, abs=0.02 * (fit == "pad"))


def echo(config: Config) -> Translator:
    """A translator whose network returns its input."""
    translator = Translator(UNet(config), config)
    translator.forward = lambda x, *_: x
    return translator


@pytest.mark.parametrize("fit", ["resize", "pad"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_an_image_of_any_size_comes_back_in_its_size(tiny: Config, channels: int, fit: Any) -> None:
    translator = echo(replace(tiny, input_channels=channels, target_channels=channels))
    for height, width in ((64, 64), (40, 100), (131, 77), (1, 9)):
        ramp = np.linspace(20, 230, width)[None, :, None] * np.ones((height, 1, channels))
        image = ramp.astype(np.uint8)
        found = translator.image(image, fit=fit)
        assert (found.shape, found.dtype) == (image.shape, np.uint8)
        assert np.abs(found.astype(int) - image).mean() < 3


@pytest.mark.parametrize("fit", ["crop", "foo"])
def test_a_fit_that_would_lose_a_part_is_refused(tiny: Config, fit: Any) -> None:
    with pytest.raises(Pix2PixError, match="fit: expected one of resize, pad, whole, found"):
        echo(tiny).image(np.zeros((40, 20, 3), np.uint8), fit=fit)


@pytest.mark.parametrize(("trained", "padded"), [("resize", False), ("pad", True), ("crop", True)])
def test_by_default_an_image_is_fitted_as_in_training_but_never_cropped(
    tiny: Config, trained: Any, padded: bool
) -> None:
    """A dark top edge is mirrored into the middle where the picture is padded."""
    inputs: list[np.ndarray] = []
    translator = echo(replace(tiny, fit=trained))
    translator.forward = lambda x, *_: inputs.append(x.asnumpy()) or x
    image = np.full((32, 64, 3), 255, np.uint8)
    image[0] = 0
    translator.image(image)
    dark = np.nonzero(inputs[0][0, 0, :, 0] < 0)[0]
    assert (dark.max() >= 4) == padded
    with pytest.raises(Pix2PixError, match="^fit: "):
        translator.image(image, fit="crop")


def test_colouring_keeps_the_lightness_at_its_own_size(tiny: Config) -> None:
    """The network sees 64x64; the fine stripes it cannot see are in the result."""
    photo = np.zeros((200, 300, 3), np.uint8)
    photo[:, ::2] = 200
    translator = echo(replace(tiny, colours="lab", input_channels=1, target_channels=2))
    translator.forward = lambda x, *_: Tensor(np.zeros((1, 2, *x.shape[2:]), np.float32))
    found = translator.image(photo)
    assert found.shape == photo.shape
    assert np.abs(found.astype(int) - photo).max() <= 1


def test_a_lab_record_teaches_a_and_b_and_shows_rgb(tmp_path: Path, tiny: Config) -> None:
    photos = [facade(seed, 64).photo for seed in range(3)]
    record = recorded(tmp_path, [(lightness(photo), photo) for photo in photos], "lab")
    assert (record.channels, record.colours) == ((1, 3), "lab")
    with pytest.raises(Pix2PixError, match="expected 1, 2 and AtoB where colours is lab"):
        replace(tiny, direction="BtoA", **settings_of(record, "BtoA"))
    config = replace(tiny, jit=False, **settings_of(record, "AtoB"))
    assert (config.input_channels, config.target_channels, config.colours) == (1, 2, "lab")
    shown = triples(Translator(UNet(config), config), whole(record))
    for row, triple, photo in zip(rows(record, config), shown, photos, strict=True):
        np.testing.assert_allclose(row["x"][0], lab_of(photo)[:1], atol=0.005)
        np.testing.assert_allclose(row["y"][0], lab_of(photo)[1:], atol=1e-6)
        x, generated, target = triple
        assert (x.shape, generated.shape, target.shape) == ((1, 64, 64), (3, 64, 64), (3, 64, 64))
        assert np.abs(to_pixels(target).astype(int) - photo).max() <= 2
        apart = np.abs(lab_of(to_pixels(generated))[:1] - x)  # but for colours no screen shows
        assert np.median(apart) < 0.01


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_have_the_channels_of_the_target(
    tmp_path: Path, wide: Config, channels: int
) -> None:
    """Files of `translate` as they are; in figures any channels are RGB."""
    config = replace(wide, input_channels=5 - channels, target_channels=channels)
    checkpoints.save(UNet(config).get_parameters(), tmp_path / "net.ckpt", config)
    Image.fromarray(noise(48, 120, 3)).save(tmp_path / "in.jpg")
    (path,) = translate([tmp_path / "in.jpg"], tmp_path / "out", tmp_path / "net.ckpt")
    with Image.open(path) as image:
        assert (image.mode, image.size) == (MODES[channels], (120, 48))

    picture = RNG.integers(0, 256, (16, 24, channels), dtype=np.uint8)
    assert pixels(picture).shape == (16, 24, 3)
    as_floats = np.moveaxis(picture / 127.5 - 1, -1, 0).astype(np.float32)
    np.testing.assert_array_equal(pixels(as_floats), pixels(picture))
    figure = sample_grid([(picture, picture, picture)], "BtoA")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["input (B)", "generated", "target (A)"]
    width, height = figure.get_size_inches()
    assert width / 3 > 1.4 * (height - 0.3)  # as wide as the images are


@pytest.mark.slow
def test_a_run_of_grey_images_that_are_not_square(tmp_path: Path, wide: Config) -> None:
    record = noisy(tmp_path, 1, 1)
    config = replace(wide, epochs=1, fit="crop", **settings_of(record, "AtoB"))
    run = train(config, training_data(record.path, 0), tmp_path / "run", report=lambda _: None)
    assert dataclasses.asdict(run.config()) == dataclasses.asdict(config)
    with Image.open(run.sample_file(1)) as grid:
        assert grid.width > 3 * grid.height


def test_a_grid_names_its_rows_and_titles_columns_or_images() -> None:
    picture, grey = np.zeros((8, 12, 3), np.uint8), np.zeros((8, 12), np.uint8)
    rows = [[picture, grey], [grey, picture]]
    for titles, wanted in (("ab", ["a", "b", "", ""]), ("abcd", list("abcd"))):
        figure = image_grid(rows, list(titles), names=["one", "two"])
        assert [axes.get_title() for axes in figure.axes] == wanted
        assert [text.get_text() for axes in figure.axes for text in axes.texts] == ["one", "two"]
