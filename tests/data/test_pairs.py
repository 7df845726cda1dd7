from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.prepare.folders import entries, find_pairs
from pix2pix_ms.data.prepare.prepare import prepare
from pix2pix_ms.data.prepare.splits import find_splits
from pix2pix_ms.data.records import open_record, read_record
from pix2pix_ms.errors import Pix2PixError

RNG = np.random.default_rng(5)


def save(path: Path, width: int = 32, height: int = 16, mode: str = "RGB") -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (height, width) if mode == "L" else (height, width, len(mode))
    pixels = RNG.integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def test_left_is_a_and_right_is_b(tmp_path: Path) -> None:
    pixels = save(tmp_path / "1.png")
    (pair,) = [files.read() for files in find_pairs(tmp_path)]
    np.testing.assert_array_equal(pair.a, pixels[:, :16])
    np.testing.assert_array_equal(pair.b, pixels[:, 16:])
    assert pair.name == "1"


def test_folders_a_and_b_are_matched_by_name(tmp_path: Path) -> None:
    a, b = save(tmp_path / "A/x.png", 16), save(tmp_path / "B/x.bmp", 16)
    (pair,) = [files.read() for files in find_pairs(tmp_path)]
    np.testing.assert_array_equal(pair.a, a)
    np.testing.assert_array_equal(pair.b, b)


def test_numbers_are_ordered_as_numbers(tmp_path: Path) -> None:
    for number in (10, 9, 1, 100):
        save(tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").write_text("not an image")
    assert [path.stem for path in entries(tmp_path)[0]] == ["1", "9", "10", "100"]


def test_facades_have_the_label_map_as_a() -> None:
    first, second = facade_pairs(2, 32, first_seed=7)
    assert first.a.shape == first.b.shape == (32, 32, 3)
    assert (first.name, second.name) == ("facade_7", "facade_8")
    assert len(np.unique(first.a.reshape(-1, 3), axis=0)) <= 12


def test_pairs_that_do_not_fit_are_named(tmp_path: Path) -> None:
    save(tmp_path / "square/1.png", 16, 16)
    save(tmp_path / "odd/1.png", 33, 16)
    save(tmp_path / "photo/1.png", 40, 30)
    save(tmp_path / "sizes/A/1.png", 16)
    save(tmp_path / "sizes/B/1.png", 18)
    for folder in ("square", "odd", "photo", "sizes"):
        with pytest.raises(Pix2PixError, match=r"expected .*, found \d+x\d+"):
            find_pairs(tmp_path / folder)[0].read()


def test_folders_without_pairs_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    save(tmp_path / "uneven/A/1.png")
    save(tmp_path / "uneven/A/2.png")
    save(tmp_path / "uneven/B/1.png")
    with pytest.raises(Pix2PixError, match="expected a folder of images, found none"):
        find_pairs(tmp_path / "missing")
    with pytest.raises(Pix2PixError, match="expected images .*, found none"):
        find_pairs(tmp_path / "empty")
    with pytest.raises(
        Pix2PixError, match=r"found 1 without a partner: A/2\.png; .*--skip-unpaired"
    ):
        find_pairs(tmp_path / "uneven")


def test_splits_are_the_subfolders_or_one_of_the_name_given(tmp_path: Path) -> None:
    save(tmp_path / "flat/1.png")
    for split in ("train", "test"):
        save(tmp_path / f"split/{split}/1.png")
    assert list(find_splits(tmp_path / "flat", "mine")) == ["mine"]
    assert list(find_splits(tmp_path / "split")) == ["train", "test"]


def test_val_ratio_takes_a_share_once(tmp_path: Path) -> None:
    for number in range(10):
        save(tmp_path / f"flat/{number}.png")
    splits = find_splits(tmp_path / "flat", val_ratio=0.2)
    names = {split: {pair.name for pair in pairs} for split, pairs in splits.items()}
    assert (len(names["train"]), len(names["val"])) == (8, 2)
    assert names["train"].isdisjoint(names["val"])
    assert splits == find_splits(tmp_path / "flat", val_ratio=0.2)
    save(tmp_path / "both/train/1.png")
    save(tmp_path / "both/val/1.png")
    for arguments in ({"source": tmp_path / "both", "val_ratio": 0.1},
                      {"source": tmp_path / "flat", "val_ratio": 1.0}):  # fmt: skip
        with pytest.raises(Pix2PixError, match="val_ratio"):
            find_splits(**arguments)  # type: ignore[arg-type]


def test_prepare_writes_a_record_for_each_split(tmp_path: Path) -> None:
    pixels = save(tmp_path / "in/train/1.png")
    save(tmp_path / "in/val/1.png")
    written = prepare(tmp_path / "in", tmp_path / "out")
    assert [path.name for path in written] == ["train.mindrecord", "val.mindrecord"]
    (pair,) = read_record(written[0])
    np.testing.assert_array_equal(pair.a, pixels[:, :16])


def test_an_older_val_is_not_held_out_beside_new_pairs(tmp_path: Path) -> None:
    save(tmp_path / "old/val/1.png")
    save(tmp_path / "new/1.png")
    prepare(tmp_path / "old", tmp_path / "out")
    with pytest.raises(Pix2PixError, match="out/val.mindrecord exists; "):
        prepare(tmp_path / "new", tmp_path / "out")
    prepare(tmp_path / "new", tmp_path / "out", force=True)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["train.mindrecord", "train.mindrecord.db"]


def test_an_unfit_image_leaves_the_older_record_alone(tmp_path: Path) -> None:
    save(tmp_path / "in/1.png")
    (path,) = prepare(tmp_path / "in", tmp_path / "out")
    before = path.read_bytes()
    (tmp_path / "in/2.png").write_text("hello")
    with pytest.raises(Pix2PixError, match=r"2\.png"):
        prepare(tmp_path / "in", tmp_path / "out", force=True)
    assert path.read_bytes() == before
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [path.name, f"{path.name}.db"]
    assert len(open_record(path)) == 1
