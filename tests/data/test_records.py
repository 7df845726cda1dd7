import shutil
from pathlib import Path

import numpy as np
import pytest
from mindspore.mindrecord import FileWriter

from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.images import Pair
from pix2pix_ms.data.records import open_record, read_record
from pix2pix_ms.data.writing import write_record
from pix2pix_ms.errors import Pix2PixError

RNG = np.random.default_rng(11)


def published(path: Path, rows: list[tuple[np.ndarray, np.ndarray]]) -> Path:
    """Write whole batches a row, as the published archive has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = FileWriter(str(path), shard_num=1)
    column = {"type": "float32", "shape": list(rows[0][0].shape)}
    writer.add_schema({"input_images": column, "target_images": column}, "batches")
    writer.write_raw_data([{"input_images": a, "target_images": b} for a, b in rows])
    writer.commit()
    return path


def batch(low: float = -1.0, high: float = 1.0, number: int = 4) -> np.ndarray:
    pixels = RNG.integers(0, 256, (number, 3, 8, 8)) / 127.5 - 1
    return (pixels.clip(low, high)).astype(np.float32)


def test_pixels_come_back_as_they_were(tmp_path: Path) -> None:
    pairs = list(facade_pairs(5, 32))
    assert write_record(pairs, tmp_path / "x.mindrecord") == 5
    back = list(read_record(tmp_path / "x.mindrecord"))
    for before, after in zip(pairs, back, strict=True):
        np.testing.assert_array_equal(before.a, after.a)
        np.testing.assert_array_equal(before.b, after.b)
        assert before.name == after.name


def test_a_file_takes_little_more_than_its_images(tmp_path: Path) -> None:
    write_record(facade_pairs(5, 32), tmp_path / "x.mindrecord")
    assert (tmp_path / "x.mindrecord").stat().st_size < 400_000  # 50 MB with default sizes


def test_many_and_large_pairs_fit(tmp_path: Path) -> None:
    noise = RNG.integers(0, 256, (300, 300, 3), dtype=np.uint8)  # PNG cannot shrink it
    pairs = [Pair(noise, noise, str(number)) for number in range(150)]
    write_record(pairs, tmp_path / "x.mindrecord")
    assert len(open_record(tmp_path / "x.mindrecord")) == 150
    size = (tmp_path / "x.mindrecord").stat().st_size
    assert size < 1.3 * 150 * 2 * noise.nbytes


def test_the_published_layout_is_taken_apart(tmp_path: Path) -> None:
    rows = [(batch(), batch()) for _ in range(2)]
    path = published(tmp_path / "train.mindrecord", rows)
    record = open_record(path)
    assert (record.batched, len(record)) == (True, 8)
    pairs = list(read_record(path))
    expected = np.round((rows[1][0][2].transpose(1, 2, 0) + 1) * 127.5).astype(np.uint8)
    np.testing.assert_array_equal(pairs[6].a, expected)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(batch() * 127, batch())], "row 0, column input_images: expected values in"),
        ([(batch(), np.full((4, 3, 8, 8), np.nan, np.float32))], "column target_images: .* nan"),
        ([(batch()[:, :2], batch()[:, :2])], r"expected \[N, 3, H, W\].* found \[4, 2, 8, 8\]"),
    ],
)
def test_batches_of_other_values_or_shapes_are_refused(
    tmp_path: Path, rows: list[tuple[np.ndarray, np.ndarray]], words: str
) -> None:
    path = published(tmp_path / "train.mindrecord", rows)
    with pytest.raises(Pix2PixError, match=words):
        list(read_record(path))


def test_records_that_cannot_be_used_are_explained(tmp_path: Path, record: Path) -> None:
    def copy(folder: str, name: str = record.name, index: bool = True) -> Path:
        target = tmp_path / folder / name
        target.parent.mkdir()
        shutil.copy(record, target)
        if index:
            shutil.copy(f"{record}.db", f"{target}.db")
        return target

    moved = copy("moved")
    assert len(open_record(moved)) == 12

    damaged = copy("damaged")
    damaged.write_bytes(b"\0" * 1000)
    half = copy("half_index")
    Path(f"{half}.db").write_bytes(b"not sqlite" * 100)
    for path, words in {
        tmp_path / "none.mindrecord": "expected a MindRecord file, found none",
        copy("alone", index=False): "expected its index train.mindrecord.db beside it",
        copy("renamed", "val.mindrecord"): "expected the name it was written with, train.mind",
        damaged: "train.mindrecord: expected the record and the index .* found a damaged one",
        half: "found a damaged one",
    }.items():
        with pytest.raises(Pix2PixError, match=words) as found:
            open_record(path)
        assert "\n" not in str(found.value)


def test_other_columns_are_listed(tmp_path: Path) -> None:
    writer = FileWriter(str(tmp_path / "x.mindrecord"), shard_num=1)
    writer.add_schema({"image": {"type": "bytes"}, "label": {"type": "int32"}}, "other")
    writer.write_raw_data([{"image": b"x", "label": 1}])
    writer.commit()
    with pytest.raises(Pix2PixError, match=r"found image \(bytes\), label \(int32\)"):
        open_record(tmp_path / "x.mindrecord")


def test_nothing_to_write_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(Pix2PixError, match="expected at least one pair"):
        write_record([], tmp_path / "x.mindrecord")
    assert list(tmp_path.iterdir()) == []
