import shutil
from pathlib import Path

import numpy as np
import pytest
from mindspore.mindrecord import FileWriter

from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.images import Pair
from pix2pix_ms.data.records import open_record, read_record
from pix2pix_ms.data.writing import write_record
from tests.runs import published, refused

RNG = np.random.default_rng(11)


def batch(low: float = -1.0, high: float = 1.0, number: int = 4) -> np.ndarray:
    pixels = RNG.integers(0, 256, (number, 3, 8, 8)) / 127.5 - 1
    return (pixels.clip(low, high)).astype(np.float32)


def test_pixels_come_back_as_they_were_and_take_little_more(tmp_path: Path) -> None:
    path = tmp_path / "x.mindrecord"
    pairs = list(facade_pairs(5, 32))
    assert write_record(pairs, path) == 5
    for before, after in zip(pairs, read_record(path), strict=True):
        np.testing.assert_array_equal(before[:2], after[:2])
        assert before.name == after.name
    assert path.stat().st_size < 400_000  # 50 MB with default sizes


def test_many_large_pairs_fit(tmp_path: Path) -> None:
    """Dozens of pages; PNG cannot shrink noise."""
    noise, path = RNG.integers(0, 256, (100, 100, 3), dtype=np.uint8), tmp_path / "x.mindrecord"
    write_record((Pair(noise, noise, str(number)) for number in range(200)), path)
    assert len(open_record(path)) == 200
    assert path.stat().st_size < 1.3 * 200 * 2 * noise.nbytes


def test_the_published_layout_is_taken_apart(tmp_path: Path) -> None:
    rows = [(batch(), batch()) for _ in range(2)]
    path = published(tmp_path / "train.mindrecord", *rows)
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
    path = published(tmp_path / "train.mindrecord", *rows)
    with refused(words):
        list(read_record(path))


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("train", {".db": None, "": None}, "expected a MindRecord file, found none"),
        ("train", {".db": None}, "expected its index train.mindrecord.db beside it"),
        ("val", {}, "expected the name it was written with, train.mindrecord, found val"),
        ("train", {"": bytes(1000)}, r"train\.mindrecord: .* together, found a damaged one"),
        ("train", {".db": b"not sqlite" * 100}, r"\.db: .* written together, found a damaged one"),
    ],
)
def test_records_that_cannot_be_used_are_explained(
    name: str, damage: dict[str, bytes | None], words: str, tmp_path: Path, record: Path
) -> None:
    moved = tmp_path / "moved" / f"{name}.mindrecord"
    moved.parent.mkdir()
    for end in ("", ".db"):
        content = damage.get(end, Path(f"{record}{end}").read_bytes())
        if content is not None:
            Path(f"{moved}{end}").write_bytes(content)
    with refused(words):
        open_record(moved)


def test_a_folder_of_records_may_have_any_name(tmp_path: Path, record: Path) -> None:
    shutil.copytree(record.parent, tmp_path / "moved")
    assert len(open_record(tmp_path / "moved" / record.name)) == 12


def test_other_columns_are_listed(tmp_path: Path) -> None:
    writer = FileWriter(str(tmp_path / "x.mindrecord"), shard_num=1)
    writer.set_page_size(2**18)
    writer.add_schema({"image": {"type": "bytes"}, "label": {"type": "int32"}}, "other")
    writer.write_raw_data([{"image": b"x", "label": 1}])
    writer.commit()
    with refused(r"found image \(bytes\), label \(int32\)"):
        open_record(tmp_path / "x.mindrecord")


def test_nothing_to_write_writes_nothing(tmp_path: Path) -> None:
    with refused("expected at least one pair"):
        write_record([], tmp_path / "x.mindrecord")
    assert list(tmp_path.iterdir()) == []
