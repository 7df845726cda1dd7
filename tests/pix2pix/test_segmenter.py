from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from mindspore import Tensor

from pix2pix_ms.config.pix2pix import SEGMENTER, Config
from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.facades import PALETTE, classes_of, facade
from pix2pix_ms.data.images import Pair
from pix2pix_ms.data.pair_batches import training_data
from pix2pix_ms.data.writing import write_record
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.files import held
from pix2pix_ms.pix2pix.measures import segmenter
from pix2pix_ms.pix2pix.measures.scores import SegmentationScores, segmentation_scores
from pix2pix_ms.pix2pix.measures.segmenter import (
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
    config = replace(SEGMENTER, size=64, ngf=4, init_gain=1.0)
    network = Segmenter(config)
    initialise(network, config)
    scores = network(Tensor(to_network(facade(1, 64).photo, (64, 64))[None])).asnumpy()
    assert scores.shape == (1, 12, 64, 64)
    assert np.abs(scores).max() > 5, "no tanh"


def test_settings_follow_the_size() -> None:
    assert replace(SEGMENTER, size=256).jitter == 286
    with pytest.raises(Pix2PixError, match="size: expected a multiple of 32"):
        replace(SEGMENTER, size=100)
    assert replace(SEGMENTER, size=48, levels=4).depth == 4
    assert replace(SEGMENTER, size=64, levels=None).depth == 6


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
    ("words", "about"),
    [
        ("--data {tmp}/none", "{tmp}/none"),
        ("--data {tmp}/photos", "{tmp}/photos/train.mindrecord"),
        ("--data {facades} --size 100", "size"),
    ],
)
def test_what_cannot_be_trained_writes_nothing(
    words: str, about: str, tmp_path: Path, facades: Path
) -> None:
    photos = [facade(seed, 64).photo for seed in range(4)]
    pairs = (Pair(photo, photo, str(number)) for number, photo in enumerate(photos))
    write_record(pairs, tmp_path / "photos" / "train.mindrecord")
    places, out = {"tmp": tmp_path, "facades": facades}, tmp_path / "x.ckpt"
    given = words.format(**places).split()
    refusal("segmenter", *given, "--out", out, about=f"{about.format(**places)}: expected ")
    assert not out.exists()


def test_safetensors_are_written_with_their_settings_and_read(
    facades: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "s" / "segmenter.safetensors"
    words = ("segmenter", "--data", facades, "--out", out)
    untrained = segmentation_scores(np.eye(12, dtype=np.int64))
    monkeypatch.setattr(segmenter, "run_epochs", lambda *_: untrained)
    assert output(*words, *options(SMALL)).endswith(f"segmenter in {out}\n")
    assert load_segmenter(out.parent)(facade(1, SIZE).photo).shape == (SIZE, SIZE)
    refusal(*words, about=f"{out} exists")


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
    """At another file of the folder there may be one."""
    out = tmp_path / "segmenter.ckpt"
    with FileLock(tmp_path / f".{out.name}.lock"):
        refusal("segmenter", "--data", facades, "--out", out, about=f"{out}: in use by another")
        with held(out.with_name("another.ckpt"), is_file=True):
            pass
    assert not out.exists()


def test_a_generator_is_no_segmenter_nor_the_other_way_round(
    tmp_path: Path, eager: Config, trained: tuple[Path, str]
) -> None:
    saved(UNet(eager), eager, tmp_path / "g.ckpt")
    with pytest.raises(Pix2PixError, match=r"g\.ckpt: expected a checkpoint with a segmenter"):
        load_segmenter(tmp_path / "g.ckpt")
    with pytest.raises(Pix2PixError, match="expected a checkpoint with a generator"):
        checkpoints.load_generator(trained[0])
