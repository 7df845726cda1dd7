"""Folders as people have them: other layouts, names that differ, sound data of other kinds."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pix2pix_ms.data.records import open_record
from tests.runs import call, output, refusal

LAYOUTS: dict[str, tuple[list[str], tuple[str, ...], dict[str, list[str]]]] = {
    "the reference's": (
        ["A/train/a", "B/train/a", "A/val/b", "B/val/b"], (), {"train": ["a"], "val": ["b"]},
    ),
    "pix2pixHD's": (["train_A/a", "train_B/a"], (), {"train": ["a"]}),
    "pix2pixHD's labels": (
        ["train_label/a", "train_img/a", "test_label/b", "test_img/b"], (),
        {"train": ["a"], "test": ["b"]},
    ),
    "a suffix each": (["A/1_IR", "B/1_VIS"], ("--pair", "{}_IR", "{}_VIS"), {"train": ["1"]}),
    "both in one folder": (
        ["1_IR", "1_VIS", "2_IR", "2_VIS"], ("--pair", "{}_IR", "{}_VIS"), {"train": ["1", "2"]},
    ),
    "subjects": (["A/x/1", "A/y/1", "B/x/1", "B/y/1"], (), {"train": ["x_1", "y_1"]}),
    "photos of subjects": (["x/1", "y/1"], ("--make", "edges"), {"train": ["x_1", "y_1"]}),
    "a Mac's names": (
        [f"A/{unicodedata.normalize('NFD', 'été')}", "B/été"], (), {"train": ["été"]},
    ),
}  # fmt: skip


def pictures(folder: Path, names: list[str], side: int = 8) -> Path:
    for number, name in enumerate(names):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((side, side, 3), 10 * number, np.uint8)).save(path)
    return folder


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_are_read(layout: str, tmp_path: Path) -> None:
    names, words, wanted = LAYOUTS[layout]
    output("prepare", pictures(tmp_path / "in", names), tmp_path / "out", *words)
    records = (tmp_path / "out").glob("*.mindrecord")
    assert {path.stem: sorted(open_record(path).names()) for path in records} == wanted


def test_domains_may_have_splits_within(tmp_path: Path) -> None:
    names = ["A/train/a", "B/train/b", "B/train/c", "A/val/d", "B/val/e"]
    words = ("prepare", pictures(tmp_path / "in", names), tmp_path / "out", "--unpaired")
    said = output(*words).splitlines()
    assert said[:2] == ["train     3 images: A 1, B 2", "val       2 images: A 1, B 1"]


def test_advice_helps_and_long_lists_are_cut(tmp_path: Path) -> None:
    names = [f"{side}/{number}_{side}" for number in range(40) for side in "AB"]
    found = call("prepare", pictures(tmp_path / "in", names), tmp_path / "out")
    lines = found.output.splitlines()
    assert sum(line.startswith("unpaired") for line in lines) == 13
    assert "unpaired  and 68 more" in lines
    assert "--pair" in lines[-1] and "--skip-unpaired" not in lines[-1]
    output("prepare", tmp_path / "in", tmp_path / "out", "--pair", "{}_A", "{}_B")
    for wrong in (("{}", "{}"), ("a", "{}b"), ("{}{}", "{}b")):
        refusal(
            "prepare", tmp_path / "in", tmp_path / "x", "--pair", *wrong, about="pair: expected"
        )
    mixed = pictures(tmp_path / "mixed", ["train/a", "trainA/a", "trainB/a"])
    refusal("prepare", mixed, tmp_path / "x", about=f"{mixed}: expected train or trainA")


def test_sound_data_of_other_kinds_have_a_way(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((8, 16, 3), np.uint8))
    line = refusal("prepare", tmp_path, tmp_path / "out", about=tmp_path / "x.npy")
    assert "a NumPy array" in line and "numpy.load" in line and "remove" not in line
    (tmp_path / "y.dcm").write_bytes(bytes(128) + b"DICM")
    words = ("translate", tmp_path / "y.dcm", "--out", tmp_path / "out")
    assert "a DICOM file" in refusal(*words, about=tmp_path / "y.dcm")
