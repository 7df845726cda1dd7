"""Images that are no pairs: layouts, what is held out, what an epoch takes, and its labels."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pix2pix_ms.config.models import preset
from pix2pix_ms.data.builtin import digits, styled_facades, unpaired_facades
from pix2pix_ms.data.domain_batches import (
    check_images,
    every,
    labelled,
    larger,
    plain_images,
    unpaired,
    with_references,
)
from pix2pix_ms.data.domains import domain_data
from pix2pix_ms.data.images import Pair
from pix2pix_ms.data.pair_batches import training_data
from pix2pix_ms.data.records import open_record
from pix2pix_ms.data.writing import LabelledImage, write_images, write_record
from pix2pix_ms.family.cyclegan.task import UnpairedTask
from pix2pix_ms.family.stargan.task import StylesTask
from pix2pix_ms.training.sources import run_records
from tests.runs import output, refusal, refused, save_pairs

CONFIG = preset("quick", "stargan", size=32, jitter_size=32, mirror=False, batch_size=2)
COUNTS = {"dark": 7, "light": 4, "mid": 5}
GREY = {"dark": 20, "light": 220, "mid": 120}  # plus the image's number


def flat(value: int, size: int = 32) -> np.ndarray:
    return np.full((size, size, 3), value, np.uint8)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Images of one grey each, which tells domain and number; the domains come mixed."""
    images = [
        LabelledImage(flat(GREY[name] + number), name, f"{name}_{number}")
        for number in range(max(COUNTS.values()))
        for name in COUNTS
        if number < COUNTS[name]
    ]
    assert write_images(images, tmp_path / "train.mindrecord") == 16
    return tmp_path / "train.mindrecord"


def values(images: np.ndarray) -> list[int]:
    """The greys of flat images, float32 [N, C, H, W] in [-1, 1]."""
    assert images.dtype == np.float32
    assert (np.ptp(images, axis=(1, 2, 3)) == 0).all()
    return np.rint((images[:, 0, 0, 0] + 1) * 127.5).astype(int).tolist()


def of(value: int) -> int:
    """The number of the domain a grey belongs to, in the alphabet's order."""
    return next(n for n, name in enumerate(COUNTS) if 0 <= value - GREY[name] < COUNTS[name])


def test_a_tenth_of_each_domain_is_held_out_by_seed(record: Path) -> None:
    data = domain_data(record.parent, 0)
    assert data.names == ("dark", "light", "mid")
    assert [len(domain) for domain in data.train] == [6, 3, 4]
    assert [len(domain) for domain in data.held_out] == [1, 1, 1]
    assert data.pairs is None
    assert "dark 6, light 3, mid 4; held out: 3, a tenth of each by seed" in data.description
    both = [set(a.indices) | set(b.indices) for a, b in zip(data.train, data.held_out, strict=True)]
    assert sorted(row for rows in both for row in rows) == list(range(16))
    assert domain_data(record, 0) == data
    assert any(domain_data(record, seed) != data for seed in (1, 2, 3))
    assert data.identity()["train"] == str(record)
    found = list(plain_images(data.train[1], CONFIG, count=2))
    assert [image.shape for image in found] == [(1, 3, 32, 32)] * 2
    assert [of(values(image)[0]) for image in found] == [1, 1]
    assert len(list(plain_images(data.train[1], CONFIG))) == len(data.train[1])


def test_labels_belong_to_images_and_each_comes_once(record: Path) -> None:
    data = domain_data(record, 0)

    def epoch(number: int) -> list[tuple[int, int]]:
        batches = list(labelled(data, CONFIG, number))
        assert len(batches) == every(data) // CONFIG.batch_size == 6
        return [pair for images, labels in batches
                for pair in zip(values(images), labels.tolist(), strict=True)]  # fmt: skip

    seen = epoch(1)
    assert all(of(value) == label for value, label in seen)
    assert len(set(seen)) == len(seen)
    assert epoch(1) == seen != epoch(2)


def test_unpaired_takes_all_of_the_larger_and_goes_round_the_smaller(record: Path) -> None:
    data = domain_data(record, 0)  # dark 6, light 3
    config = replace(CONFIG, batch_size=1)
    xs, ys = zip(*unpaired(data, config, 1), strict=True)
    assert len(xs) == larger(data) == 6
    dark, light = ([values(image)[0] for image in images] for images in (xs, ys))
    assert sorted(dark) == sorted(set(dark)) and {of(value) for value in dark} == {0}
    assert set(Counter(light).values()) == {2} and {of(value) for value in light} == {1}


def test_references_are_two_of_the_domain_that_is_wanted(record: Path) -> None:
    data = domain_data(record, 0)
    wanted: set[int] = set()
    for epoch in range(1, 4):
        for x, own, one, other, target in with_references(data, CONFIG, epoch):
            assert [of(value) for value in values(x)] == own.tolist()
            assert [of(value) for value in values(one)] == target.tolist()
            assert [of(value) for value in values(other)] == target.tolist()
            assert not set(values(one)[:1]) & set(values(other)[:1])
            assert target.dtype == own.dtype == np.int32
            wanted |= set(target.tolist())
    assert wanted == {0, 1, 2}


def test_each_image_has_a_jitter_of_its_own(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(40, dtype=np.uint8)[None, :, None], (40, 1, 3))
    images = [LabelledImage(ramp, name, f"{name}{n}") for name in "ab" for n in range(20)]
    write_images(images, tmp_path / "train.mindrecord")
    data = domain_data(tmp_path, 0)
    config = replace(CONFIG, jitter_size=40, mirror=True, batch_size=1)
    corners = [(x[0, 0, 0, 0], y[0, 0, 0, 0]) for x, y in unpaired(data, config, 1)]
    assert len(set(np.ravel(corners))) > 9  # 9 windows, each also mirrored
    assert any(x != y for x, y in corners)


def test_pairs_are_two_domains_and_hold_out_the_same_pairs(tmp_path: Path) -> None:
    path = tmp_path / "train.mindrecord"
    write_record((Pair(flat(n), flat(100 + n), str(n)) for n in range(12)), path)
    data, pairs = domain_data(path, 5), training_data(path, 5)
    assert data.names == ("A", "B")
    assert data.train[0].indices == data.train[1].indices == pairs.train.indices
    assert data.pairs == pairs.held_out
    greys = [(values(x)[0], values(y)[0]) for x, y in unpaired(data, CONFIG, 1)]
    assert all(x < 100 <= y for x, y in greys)
    assert sum(y - x == 100 for x, y in greys) < len(greys)  # no longer pairs
    config = replace(CONFIG, batch_size=1)
    seen = [(values(x)[0], label) for x, (label,) in labelled(data, config, 1)]
    assert len(set(seen)) == 2 * len(pairs.train)  # one column of a batch, two of the record
    assert all((value >= 100) == label for value, label in seen)
    for x, own, one, other, target in with_references(data, config, 1):
        assert [value >= 100 for value in values(x)] == [own[0] == 1]
        assert [value >= 100 for value in values(one) + values(other)] == [target[0] == 1] * 2


def test_true_pairs_beside_unpaired_images_are_held_out(tmp_path: Path) -> None:
    config = preset("quick", "cyclegan", facades=10)
    unpaired_facades(tmp_path, config)
    data = domain_data(tmp_path, 0)
    assert [len(domain) for domain in data.train] == [5, 5]
    assert data.pairs is not None and len(data.pairs) == 1
    assert "val.mindrecord" in data.description


def test_embedded_data_have_domains_and_nothing_twice(tmp_path: Path) -> None:
    styled_facades(tmp_path / "styles", preset("quick", "stargan", facades=9))
    styles = domain_data(tmp_path / "styles", 0)
    assert styles.names == ("brick", "night", "stucco")
    assert [len(domain) for domain in styles.train] == [3, 3, 3]
    digits(tmp_path / "digits", preset("quick", "gan"))
    found = domain_data(tmp_path / "digits", 0)
    assert found.names == tuple("0123456789")
    assert sum(map(len, found.train + found.held_out)) == 1797
    assert found.channels == 1


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: write_images([LabelledImage(flat(1), "lonely", "1")], path),
         "expected 2 images of lonely or more, one to hold out, found 1"),
        (lambda path: write_record([Pair(flat(1)[..., :1], flat(1), "1")] * 3, path),
         r"expected pairs with as many channels in A as in B, .* found \(1, 3\)"),
    ],
)  # fmt: skip
def test_records_that_are_unfit_are_refused(tmp_path: Path, write: Any, words: str) -> None:
    write(tmp_path / "train.mindrecord")
    with refused(words):
        domain_data(tmp_path, 0)


def test_images_that_do_not_fit_are_refused(record: Path, tmp_path: Path) -> None:
    """By pix2pix, by networks of other channels, or larger batches, by models of two domains."""
    with refused(r"expected columns input_images and .* found .*domain"):
        open_record(record)
    data, large = domain_data(record, 0), replace(CONFIG, batch_size=14)
    check_images(data, CONFIG, every(data))
    with refused("expected images with 1 channels, .* found 3"):
        check_images(data, preset("quick", "gan"), every(data))
    with refused("expected at most the 13 training images, found 14"):
        check_images(data, large, every(data))
    with refused("expected at most the 13 training images, found 14"):
        next(labelled(data, large, 1))
    pairs = [Pair(flat(n), flat(n), str(n)) for n in range(4)]
    write_record(pairs, tmp_path / "few" / "train.mindrecord")
    few = domain_data(tmp_path / "few", 0)  # three of each: fewer than a batch of pairs
    with refused("expected at most the 3 training images, found 4"):
        next(unpaired(few, replace(CONFIG, batch_size=4), 1))
    with refused("expected two domains .*, found dark, light, mid; stargan takes any number"):
        UnpairedTask(preset("quick", "cyclegan"), data)
    write_images([LabelledImage(flat(1), "dark", "1")], record.with_name("val.mindrecord"))
    with refused("expected domains dark, light, mid with 3 channels .* found dark with 3; prepare"):
        domain_data(record, 0)


def test_a_run_that_never_began_makes_its_records_anew(tmp_path: Path) -> None:
    config = preset("quick", "cyclegan", facades=4)
    for _ in range(2):
        made = run_records(None, tmp_path, config, False, unpaired_facades)
    assert [path.name for path in sorted(made.glob("*"))] == [
        f"{split}.mindrecord{index}" for split in ("train", "val") for index in ("", ".db")
    ]
    run_records(None, tmp_path, preset("quick", "gan"), False, digits)
    assert [path.name for path in sorted(made.glob("*.mindrecord"))] == ["train.mindrecord"]


# --- Folders of images to records ----------------------------------------------------------------


def domains_in(source: Path, *names: str) -> Path:
    """Save images of different sizes, kinds and modes, the darker the earlier a domain stands."""
    for value, name in enumerate(names, 1):
        (source / name).mkdir(parents=True)
        for number in range(4):
            picture = Image.fromarray(flat(40 * value + number, 40 + number))
            picture.save(source / name / f"{number}.{'png' if number % 2 else 'jpg'}")
        Image.new("LA", (30, 50), (40 * value, 255)).save(source / name / "grey.png")
    return source


def test_prepare_writes_each_subfolder_as_a_domain(tmp_path: Path) -> None:
    folder = domains_in(tmp_path / "in", "dusk", "naïve dawn 晨")
    (folder / "dusk" / "notes.txt").write_text("no image")
    said = output("prepare", folder, tmp_path / "out", "--unpaired", "--val-ratio", "0.2")
    assert "train     8 images: dusk 4, naïve dawn 晨 4" in said
    assert "ignored   1 that are no images: dusk/notes.txt" in said
    assert said.splitlines()[-2:] == [
        f"{tmp_path}/out/train.mindrecord: 8 images",
        f"{tmp_path}/out/val.mindrecord: 2 images",
    ]
    data = domain_data(tmp_path / "out", 0)
    assert data.names == ("dusk", "naïve dawn 晨")
    assert [len(domain) for domain in data.train] == [4, 4]
    greys = [(values(x)[0], values(y)[0]) for x, y in unpaired(data, CONFIG, 1)]
    assert all(a < 60 < b for a, b in greys)


def test_prepare_takes_the_published_layout(tmp_path: Path) -> None:
    """In which A and B need not match; a file in none of its folders is reported once."""
    source = domains_in(tmp_path / "in", "trainA", "trainB", "testA", "testB")
    Image.fromarray(flat(9)).save(source / "trainA" / "one more.png")
    (source / "notes.txt").write_text("hello")
    said = output("prepare", source, tmp_path / "out", "--unpaired")
    assert "ignored   1 that are no images: in/notes.txt" in said
    data = domain_data(tmp_path / "out", 0)
    assert data.names == ("A", "B")
    assert [len(d) + len(h) for d, h in zip(data.train, data.held_out, strict=True)] == [6, 5]
    config = preset("quick", "cyclegan")
    assert run_records(tmp_path / "out", tmp_path / "run", config, False) == tmp_path / "out"


def test_prepare_refuses_unfit_folders_of_domains(tmp_path: Path) -> None:
    folder, out = domains_in(tmp_path / "in", "a", "b"), tmp_path / "out"
    words = ["prepare", folder, out, "--unpaired"]
    (folder / "a" / "5.jpg").write_bytes(b"no picture")
    refusal(*words, about=f"{folder}/a/5.jpg: expected")
    (folder / "a" / "5.jpg").unlink()
    (folder / "empty").mkdir()
    assert "empty: expected images of the domain empty, found none" in refusal(*words)
    (folder / "empty").rmdir()
    line = refusal("prepare", folder / "a", *words[2:])
    assert "expected a subfolder of images for each domain, found none" in line
    for more in (["--swap"], ["--make", "gray"]):
        assert "unpaired: expected no make, pair, swap or halves beside" in refusal(*words, *more)
    line = refusal(*words, "--channels", "1", "3")
    assert "expected the same number twice for unpaired images" in line
    for name in ("a\nb", os.fsdecode(b"\xff")):
        place = (folder / "b").rename(folder / name)
        assert "expected a name that can be printed" in refusal(*words)
        place.rename(folder / "b")
    domains_in(tmp_path / "splits" / "train", "a", "b")
    domains_in(tmp_path / "splits" / "val", "a", "c")
    line = refusal("prepare", tmp_path / "splits", *words[2:])
    assert "same domains in val as in train, a, b, found a, c" in line
    assert not out.exists()


def test_cyclegan_takes_folders_of_either_kind(tmp_path: Path) -> None:
    """Domains whose files have no partners, or pairs side by side, which are taken apart."""
    folder, cyclegan = domains_in(tmp_path / "in", "dusk", "dawn"), preset("quick", "cyclegan")
    pairs = save_pairs(tmp_path / "pairs" / "train", 3).parent
    for task, source, config, names in (
        (UnpairedTask, folder, cyclegan, ("dawn", "dusk")),
        (StylesTask, folder, preset("quick", "stargan"), ("dawn", "dusk")),
        (UnpairedTask, pairs, cyclegan, ("A", "B")),
    ):
        made = task.records(source, tmp_path / f"{task.__name__} {source.name}", config, False)
        assert domain_data(made, 0).names == names
