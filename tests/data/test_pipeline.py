import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import mindspore.dataset as ds
import numpy as np
import pytest
from PIL import Image

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.images import Pair
from pix2pix_ms.data.integrity import TABLE
from pix2pix_ms.data.pair_batches import (
    Subset,
    TrainingData,
    epoch_data,
    pairs_of,
    plain_data,
    training_data,
    whole,
)
from pix2pix_ms.data.records import open_record, read_record
from pix2pix_ms.data.writing import write_record
from tests.runs import published, refused

RNG = np.random.default_rng(2)


def batches(dataset: ds.Dataset) -> list[tuple[np.ndarray, np.ndarray]]:
    rows = dataset.create_dict_iterator(output_numpy=True, num_epochs=1)
    return [(row["x"], row["y"]) for row in rows]


def same(one: ds.Dataset, other: ds.Dataset) -> bool:
    return np.array_equal(batches(one), batches(other))


def flat_record(folder: Path, images: Iterable[np.ndarray]) -> Subset:
    """Write pairs of an image and itself."""
    write_record((Pair(image, image, "") for image in images), folder / "x.mindrecord")
    return whole(open_record(folder / "x.mindrecord"))


def test_batches_are_what_the_networks_expect(data: TrainingData, tiny: Config) -> None:
    (x, y), *rest = batches(epoch_data(data.train, replace(tiny, batch_size=2), 1))
    assert len(rest) == len(data.train) // 2 - 1
    for image in (x, y):
        assert (image.shape, image.dtype) == ((2, 3, 64, 64), np.float32)
        assert -1 <= image.min() < image.max() <= 1


def test_epochs_and_seeds_differ_and_numbers_of_workers_do_not(
    data: TrainingData, tiny: Config
) -> None:
    first = epoch_data(data.train, tiny, 1)
    assert same(first, epoch_data(data.train, tiny, 1, workers=2))
    assert not same(first, epoch_data(data.train, tiny, 2))
    assert not same(first, epoch_data(data.train, replace(tiny, seed=1), 1))


def test_an_epoch_holds_every_pair_once(tmp_path: Path, tiny: Config) -> None:
    flat = [np.full((64, 64, 3), 10 * number, np.uint8) for number in range(8)]
    subset = flat_record(tmp_path, flat)
    values = [float(x.mean()) for x, _ in batches(epoch_data(subset, tiny, 1))]
    assert values != sorted(values)
    np.testing.assert_allclose(sorted(values), [10 * n / 127.5 - 1 for n in range(8)], atol=1e-6)


@pytest.mark.parametrize("mirror", [True, False])
def test_both_images_are_cut_and_mirrored_alike(mirror: bool, tmp_path: Path, tiny: Config) -> None:
    image = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    subset = flat_record(tmp_path, [image] * 40)
    enlarged = np.asarray(Image.fromarray(image).resize((72, 72), Image.Resampling.BICUBIC))
    scaled = np.moveaxis(enlarged / 127.5 - 1, -1, 0)
    windows = set()
    for x, y in batches(epoch_data(subset, replace(tiny, mirror=mirror), 1)):
        np.testing.assert_array_equal(x, y)
        windows.add(window_of(x[0], scaled))
    assert len(windows) > 25
    assert {mirrored for _, _, mirrored in windows} == {mirror, False}


def window_of(x: np.ndarray, scaled: np.ndarray) -> tuple[int, int, bool]:
    """Find where in the enlarged image a training image was cut."""
    for mirrored in (False, True):
        image = x[:, :, ::-1] if mirrored else x
        for top in range(9):
            for left in range(9):
                if np.abs(scaled[:, top : top + 64, left : left + 64] - image).max() < 1e-5:
                    return top, left, mirrored
    raise AssertionError("it is no part of the enlarged image")


def test_a_is_the_input_unless_direction_is_back_and_values_are_exact(
    record: Path, data: TrainingData, tiny: Config
) -> None:
    pair = list(read_record(record))[data.held_out.indices[0]]
    for direction, sides in (("AtoB", pair[:2]), ("BtoA", pair[1::-1])):
        found = batches(plain_data(data.held_out, replace(tiny, direction=direction)))[0]
        for image, side in zip(found, sides, strict=True):
            np.testing.assert_allclose(image[0], np.moveaxis(side / 127.5 - 1, -1, 0), atol=1e-6)


def test_the_last_tenth_is_held_out_by_seed(record: Path) -> None:
    found = training_data(record, seed=0)
    assert (len(found.train), len(found.held_out)) == (10, 2)
    assert set(found.train.indices).isdisjoint(found.held_out.indices)
    assert "held out: 2, the last tenth by seed" in found.description
    assert training_data(record.parent, seed=0).held_out.indices == found.held_out.indices
    assert training_data(record, seed=1).held_out.indices != found.held_out.indices


def test_a_val_record_is_held_out(tmp_path: Path) -> None:
    write_record(facade_pairs(3, 32), tmp_path / "train.mindrecord")
    write_record(facade_pairs(2, 32, 50), tmp_path / "val.mindrecord")
    found = training_data(tmp_path, seed=0)
    assert (len(found.train), len(found.held_out)) == (3, 2)
    assert "val.mindrecord" in found.description


def test_the_published_layout_trains_too(tmp_path: Path, tiny: Config) -> None:
    images = RNG.uniform(-1, 1, (4, 3, 8, 8)).astype(np.float32)
    found = training_data(published(tmp_path / "train.mindrecord", (images, images)), seed=0)
    assert len(found.train) == 3
    assert len(batches(epoch_data(found.train, tiny, 1))) == 3


def test_too_few_pairs_are_refused(tmp_path: Path, data: TrainingData, tiny: Config) -> None:
    write_record(facade_pairs(1, 32), tmp_path / "train.mindrecord")
    with refused("expected 2 pairs or more, one to hold out, found 1"):
        training_data(tmp_path, seed=0)
    with refused("batch_size: expected at most the 10 training pairs"):
        epoch_data(data.train, replace(tiny, batch_size=11), 1)


def test_a_row_that_does_not_decode_names_the_record(tmp_path: Path, tiny: Config) -> None:
    path = tmp_path / "train.mindrecord"
    write_record(facade_pairs(3, 32), path)
    with closing(sqlite3.connect(f"{path}.db")) as index, index:  # as others write it
        index.execute("PRAGMA application_id = 0")
        index.execute(f"DROP TABLE {TABLE}")
    content = path.read_bytes()
    path.write_bytes(re.sub(rb"(?s)IDAT.{60}", b"IDAT" + bytes(60), content))
    subset = Subset(open_record(path), (0, 1, 2))
    with refused(r"train\.mindrecord: expected images that decode"):
        list(pairs_of(plain_data(subset, tiny), subset))
