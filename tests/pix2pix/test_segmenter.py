import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, ops

from pix2pix_ms.config.models import preset
from pix2pix_ms.config.pix2pix import SEGMENTER, Config
from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.facades import PALETTE, classes_of, facade
from pix2pix_ms.data.images import Pair
from pix2pix_ms.data.pair_batches import training_data
from pix2pix_ms.data.writing import write_record
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.files import held
from pix2pix_ms.pix2pix.measures import segmenter
from pix2pix_ms.pix2pix.measures.scores import SegmentationScores
from pix2pix_ms.pix2pix.measures.segmenter import (
    Labeller,
    Segmenter,
    load_segmenter,
    one_hot,
    train_segmenter,
)
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.nets.unet import UNet
from pix2pix_ms.pix2pix.translate import to_network
from pix2pix_ms.training import checkpoints
from tests.runs import options, output, refusal, saved, weights

SIZE, EPOCHS = 32, 8
SMALL = {"size": SIZE, "ngf": 8, "epochs": EPOCHS}
LEAST = {"size": SIZE, "ngf": 2, "epochs": 1, "jit": False}


@pytest.fixture(scope="module")
def facades(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("facades")
    write_record(facade_pairs(60, SIZE), folder / "train.mindrecord")
    write_record(facade_pairs(10, SIZE, first_seed=100), folder / "val.mindrecord")
    return folder


@pytest.fixture(scope="module")
def trained(facades: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("segmenter") / "new" / "segmenter.ckpt"
    words = ("--data", facades, "--out", path, "--device", "CPU", *options(SMALL))
    return path, output("segmenter", *words)


def test_it_is_the_generator_with_unbounded_scores_for_each_class() -> None:
    """The same layers, and the same weights by name but for the last layer's; no tanh."""
    config = replace(SEGMENTER, size=64, ngf=4, init_gain=1.0)
    networks = UNet(config), Segmenter(config)
    shapes, found = (
        {p.name.partition(".")[2]: p.shape for p in network.get_parameters()}
        for network in networks
    )
    assert shapes.keys() == found.keys()
    different = {name for name in shapes if shapes[name] != found[name]}
    assert different == {"ups.4.conv.weight", "ups.4.conv.bias"}
    photo = Tensor(to_network(facade(1, 64).photo, (64, 64))[None])
    for network in networks:
        initialise(network, config)
    generated, scores = (network(photo).asnumpy() for network in networks)
    assert scores.shape == (1, 12, 64, 64)
    assert np.abs(generated).max() < 1.0001  # MindSpore's tanh goes a little beyond 1 (2.8, CPU)
    assert np.abs(scores).max() > 5


def test_settings_follow_the_size() -> None:
    assert replace(SEGMENTER, size=256).jitter == 286
    with pytest.raises(Pix2PixError, match="size: expected a multiple of 32"):
        replace(SEGMENTER, size=100)
    assert replace(SEGMENTER, size=48, levels=4).depth == 4
    assert replace(SEGMENTER, size=64, levels=None).depth == 6


def test_cross_entropy_is_that_of_softmax() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(0, 30, (2, 12, 4, 4)).astype(np.float32)  # far beyond where exp overflows
    wanted = np.moveaxis(np.eye(12, dtype=np.float32)[rng.integers(0, 12, (2, 4, 4))], -1, 1)
    exact = scores.astype(np.float64)
    logarithm = exact - np.logaddexp.reduce(exact, axis=1, keepdims=True)
    found = ops.cross_entropy(Tensor(scores), Tensor(wanted))
    assert float(found) == pytest.approx(-(wanted * logarithm).sum(1).mean(), rel=1e-5)
    slope = ms.grad(ops.cross_entropy)(Tensor(scores), Tensor(wanted)).asnumpy()
    np.testing.assert_allclose(slope, (np.exp(logarithm) - wanted) / 32, atol=1e-6)


def test_labels_become_one_hot() -> None:
    label_map = facade(2, 64).label_map
    picture = np.moveaxis(label_map / np.float32(127.5) - 1, -1, 0)[None]
    hot = one_hot(picture)
    assert (hot.shape, hot.dtype) == ((1, len(PALETTE), 64, 64), np.float32)
    np.testing.assert_array_equal(hot.sum(axis=1), 1)
    np.testing.assert_array_equal(hot[0].argmax(axis=0), classes_of(label_map))


def test_the_command_trains_one_that_beats_a_constant_guess(
    trained: tuple[Path, str], facades: Path
) -> None:
    path, said = trained
    lines = said.splitlines()
    assert lines[0].startswith(f"60 pairs from {facades}/train.mindrecord; held out: 10")
    epochs = [f"{epoch}/{EPOCHS}" for epoch in range(1, EPOCHS + 1)]
    assert [line.split()[1] for line in lines[1:-1]] == epochs
    assert lines[-1] == f"segmenter in {path}"
    assert [file.name for file in path.parent.iterdir()] == ["segmenter.ckpt"]

    labeller = load_segmenter(path)
    held_out = [facade(seed, SIZE) for seed in range(100, 110)]
    truth = np.stack([classes_of(pair.label_map) for pair in held_out])
    found = np.stack([labeller(pair.photo) for pair in held_out])
    constant = np.bincount(truth.ravel()).max() / truth.size
    assert (found == truth).mean() > constant + 0.1
    assert f"per-pixel {(found == truth).mean():.3f}" in lines[-2]

    # With the moving statistics a photo has the same labels in a batch.
    both = np.stack([pair.photo for pair in held_out[:2]]).transpose(0, 3, 1, 2)
    scores = labeller.scores.generator(Tensor(both / np.float32(127.5) - 1)).asnumpy()
    assert np.mean(scores.argmax(axis=1) == found[:2]) > 0.999

    labels = labeller(facade(1, 128).photo[:, :96])
    assert (labels.shape, labels.dtype) == ((128, 96), np.uint8), "its own size"


def test_one_seed_gives_one_segmenter(record: Path, tmp_path: Path) -> None:
    def small(name: str, seed: int) -> tuple[SegmentationScores, dict[str, bytes]]:
        config = replace(SEGMENTER, **LEAST | {"epochs": 2, "seed": seed})
        out = tmp_path / name
        return train_segmenter(config, training_data(record, 0), out, report=str), weights(out)

    first = small("1.ckpt", seed=3)
    assert small("2.ckpt", seed=3) == first
    assert small("3.ckpt", seed=4)[1] != first[1]


@pytest.mark.parametrize(("photo_first", "direction"), [(False, "BtoA"), (True, "AtoB")])
def test_the_label_maps_are_found_on_either_side(
    photo_first: bool, direction: str, tmp_path: Path
) -> None:
    pairs = facade_pairs(6, SIZE)
    if photo_first:
        pairs = (Pair(pair.b, pair.a, pair.name) for pair in pairs)
    write_record(pairs, tmp_path / "train.mindrecord")
    data, out = training_data(tmp_path, 0), tmp_path / "x.ckpt"
    train_segmenter(replace(SEGMENTER, **LEAST), data, out, report=str)
    assert checkpoints.load(out)[1].direction == direction


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--data {tmp}/none", "{tmp}/none: expected a MindRecord file"),
        ("--data {tmp}/photos", "{tmp}/photos/train.mindrecord: expected pairs of a photo and a"),
        ("--data {facades} --size 100", "size: expected a multiple of 32"),
    ],
)
def test_what_cannot_be_trained_writes_nothing(
    words: str, message: str, tmp_path: Path, facades: Path
) -> None:
    photos = [facade(seed, 64).photo for seed in range(4)]
    pairs = (Pair(photo, photo, str(number)) for number, photo in enumerate(photos))
    write_record(pairs, tmp_path / "photos" / "train.mindrecord")
    places, out = {"tmp": tmp_path, "facades": facades}, tmp_path / "x.ckpt"
    given = words.format(**places).split()
    refusal("segmenter", *given, "--out", out, about=message.format(**places))
    assert not out.exists()


def test_weights_that_are_no_numbers_are_not_written(
    facades: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where every loss was finite."""

    def spoiling(network: Segmenter, *_: object) -> Callable[..., tuple[float]]:
        (first, *_rest) = network.trainable_params()
        first.set_data(first * np.float32(np.nan))
        return lambda *_: (1.0,)

    monkeypatch.setattr(segmenter, "training_step", spoiling)
    config, out = replace(SEGMENTER, **LEAST), tmp_path / "segmenter.ckpt"
    with pytest.raises(Pix2PixError, match="finite"):
        train_segmenter(config, training_data(facades, 0), out, report=str)
    assert not list(tmp_path.iterdir())


def test_a_second_at_the_same_file_is_refused(facades: Path, tmp_path: Path) -> None:
    """By a lock of another process; at another file of the folder there may be one."""
    out = tmp_path / "new" / "segmenter.ckpt"
    holding = (
        "import sys; from pathlib import Path; from pix2pix_ms.machine.files import held\n"
        f"with held(Path({str(out)!r}), is_file=True): print('holds', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "holds\n"
        refusal("segmenter", "--data", facades, "--out", out, about=f"{out}: in use by another")
        with held(out.with_name("another.ckpt"), is_file=True):
            pass
        other.communicate("\n")
    assert not out.parent.exists(), "nothing is left"


def test_a_generator_is_no_segmenter_nor_the_other_way_round(
    tmp_path: Path, tiny: Config, trained: tuple[Path, str]
) -> None:
    saved(UNet(tiny), tiny, tmp_path / "g.ckpt")
    with pytest.raises(Pix2PixError, match=r"g\.ckpt: expected a checkpoint with a segmenter"):
        load_segmenter(tmp_path / "g.ckpt")
    with pytest.raises(Pix2PixError, match="expected a checkpoint with a generator"):
        checkpoints.load_generator(trained[0])
    assert preset("quick") != SEGMENTER
    assert isinstance(load_segmenter(trained[0]), Labeller)
