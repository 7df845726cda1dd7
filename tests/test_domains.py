import os
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from test_prepare import save

from pix2pix_ms.cli import command
from pix2pix_ms.data import embedded
from pix2pix_ms.data.domains import (
    DomainData,
    all_steps,
    domain_data,
    labelled,
    plain_images,
    unpaired,
    unpaired_steps,
    with_references,
)
from pix2pix_ms.data.encoding import Recipe
from pix2pix_ms.data.facades import facade, is_label_map
from pix2pix_ms.data.images import read_image
from pix2pix_ms.data.pairs import Pair
from pix2pix_ms.data.pipeline import training_data
from pix2pix_ms.data.prepare import prepare, run_records
from pix2pix_ms.data.records import open_record, read_record
from pix2pix_ms.data.writing import LabelledImage, write_images, write_record
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.family.config import CycleGANConfig

RNG = np.random.default_rng(5)
TINY = CycleGANConfig(size=16, jitter_size=18, facades=20)
Counts = dict[str, int]


def flat(shade: int) -> np.ndarray:
    """A picture that neither crop nor mirror changes, and that tells which one it is."""
    return np.full((16, 16, 3), shade, np.uint8)


def shades(images: np.ndarray) -> list[int]:
    assert images.dtype == np.float32
    assert np.ptp(images, axis=(1, 2, 3)).max() == 0
    return [round(float(image.mean() + 1) * 127.5) for image in images]


def write_flat(path: Path, counts: Counts) -> Path:
    """Write images of which domain n has the shades 40 n, 40 n + 1, ..., domains taking turns."""
    rows = [
        LabelledImage(flat(40 * n + number), name, f"{name}_{number}")
        for number in range(max(counts.values()))
        for n, name in enumerate(counts)
        if number < counts[name]
    ]
    write_images(rows, path)
    return path


def of(folder: Path, counts: Counts, val: Counts | None = None) -> DomainData:
    write_flat(folder / "train.mindrecord", counts)
    write_flat(folder / "val.mindrecord", val or dict.fromkeys(counts, 1))
    return domain_data(folder, 0)


def write_pairs(path: Path, count: int, channels: tuple[int, int] = (3, 3)) -> Path:
    """Write pairs whose A is of shade n and whose B is of shade 100 + n."""
    a, b = channels
    write_record(
        (Pair(flat(n)[..., :a], flat(100 + n)[..., :b], str(n)) for n in range(count)), path
    )
    return path


def test_an_epoch_of_labelled_images_has_each_once_under_its_domain(tmp_path: Path) -> None:
    data = of(tmp_path, {"ash": 5, "birch": 9, "cedar": 4})
    config = replace(TINY, batch_size=4)
    batches = list(labelled(data, config, 1))
    assert data.names == ("ash", "birch", "cedar")
    assert len(batches) == all_steps(data, config) == 4
    found = []
    for images, labels in batches:
        assert (images.shape, labels.dtype) == ((4, 3, 16, 16), np.int32)
        assert [shade // 40 for shade in shades(images)] == labels.tolist()
        found += shades(images)
    every = {40 * n + number for n, count in enumerate((5, 9, 4)) for number in range(count)}
    assert len(found) == len(set(found)) == 16  # of 18: the incomplete batch is left out
    assert set(found) < every
    assert found != sorted(found)


def test_the_smaller_domain_wraps_around_in_an_order_of_its_own(tmp_path: Path) -> None:
    data = of(tmp_path, {"A": 5, "B": 11})
    batches = list(unpaired(data, TINY, 3))
    assert len(batches) == unpaired_steps(data, TINY) == 11
    a, b = ([shades(batch[side])[0] for batch in batches] for side in (0, 1))
    assert sorted(b) == [40 + n for n in range(11)]
    assert sorted(Counter(a).values()) == [2, 2, 2, 2, 3]
    assert set(a) == set(range(5))
    assert b != sorted(b)
    orders = [[shades(x)[0] for x, _ in unpaired(data, TINY, epoch)] for epoch in (1, 2, 3)]
    assert len({tuple(order) for order in orders}) == 3


def test_domains_of_one_size_are_not_shuffled_alike(tmp_path: Path) -> None:
    data = of(tmp_path, {"A": 30, "B": 30})
    pairs = [(shades(x)[0], shades(y)[0] - 40) for x, y in unpaired(data, TINY, 1)]
    assert sum(a == b for a, b in pairs) < 10


def test_references_are_two_images_of_the_wanted_domain(tmp_path: Path) -> None:
    data = of(tmp_path, {"ash": 12, "birch": 2, "cedar": 20})
    config = replace(TINY, batch_size=2)
    batches = list(with_references(data, config, 1))
    assert len(batches) == all_steps(data, config) == 17
    sources, wanted = [], set()
    for x, own, one, other, target in batches:
        assert own.dtype == target.dtype == np.int32
        sources += shades(x)
        assert [shade // 40 for shade in shades(x)] == own.tolist()
        for references in (one, other):
            assert [shade // 40 for shade in shades(references)] == target.tolist()
        assert all(r != s for r, s in zip(shades(one), shades(other), strict=True))
        wanted |= set(zip(own.tolist(), target.tolist(), strict=True))
    assert len(set(sources)) == 34
    assert {target for _, target in wanted} == {0, 1, 2}


def test_a_domain_of_one_image_is_its_own_other_reference(tmp_path: Path) -> None:
    data = of(tmp_path, {"ash": 1, "birch": 1})
    for _, _, one, other, _ in with_references(data, TINY, 1):
        np.testing.assert_array_equal(one, other)


def test_epochs_depend_on_seed_and_number_alone(tmp_path: Path) -> None:
    image = RNG.integers(0, 256, (18, 18, 3), dtype=np.uint8)
    rows = [LabelledImage(image, name, str(n)) for n in range(8) for name in "AB"]
    write_images(rows, tmp_path / "train.mindrecord")
    data = domain_data(tmp_path, 0)

    def epoch(number: int, seed: int = 0) -> np.ndarray:
        config = replace(TINY, seed=seed)
        every = [*unpaired(data, config, number), *labelled(data, config, number)]
        every += list(with_references(data, config, number))
        return np.concatenate([np.ravel(part) for batch in every for part in batch])

    np.testing.assert_array_equal(epoch(2), epoch(2))
    assert not np.array_equal(epoch(2), epoch(1))
    assert not np.array_equal(epoch(2), epoch(2, seed=1))


def test_every_image_is_cut_and_mirrored_on_its_own(tmp_path: Path) -> None:
    image = RNG.integers(0, 256, (18, 18, 3), dtype=np.uint8)
    rows = [LabelledImage(image, name, str(n)) for n in range(60) for name in "AB"]
    write_images(rows, tmp_path / "train.mindrecord")
    data = domain_data(tmp_path, 0)
    scaled = np.moveaxis(image / 127.5 - 1, -1, 0)
    windows = {
        (top, left, mirrored): scaled[:, top : top + 16, left : left + 16][..., :: 1 - 2 * mirrored]
        for top in range(3)
        for left in range(3)
        for mirrored in (0, 1)
    }

    def window(x: np.ndarray) -> tuple[int, int, int]:
        (place,) = [at for at, cut in windows.items() if np.abs(cut - x).max() < 1e-5]
        return place

    places = [(window(x[0]), window(y[0])) for x, y in unpaired(data, TINY, 1)]
    assert len({x for x, _ in places}) > 12  # of 18
    assert sum(x == y for x, y in places) < len(places) / 3
    straight = unpaired(data, replace(TINY, mirror=False), 1)
    assert not any(window(x[0])[2] or window(y[0])[2] for x, y in straight)


def test_a_pair_record_is_two_domains_and_holds_out_the_same_pairs(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "train.mindrecord", 25)
    data, pairs = domain_data(tmp_path, 3), training_data(path, 3)
    assert (data.names, data.channels, data.pairs) == (("A", "B"), 3, pairs.held_out)
    assert [len(domain) for domain in data.train + data.held_out] == [22, 22, 3, 3]
    assert data.fingerprint == pairs.fingerprint
    assert data.identity().keys() == pairs.identity().keys()
    kept = set(pairs.train.indices)
    assert {shades(x)[0] for x, _ in unpaired(data, TINY, 1)} == kept
    assert {shades(y)[0] - 100 for _, y in unpaired(data, TINY, 1)} == kept
    seen = [
        (shade >= 100, label)
        for images, labels in labelled(data, TINY, 1)
        for shade, label in zip(shades(images), labels.tolist(), strict=True)
    ]
    assert Counter(seen) == {(False, 0): 22, (True, 1): 22}
    held = [shades(image)[0] for image in plain_images(data.held_out[1], TINY, 3)]
    assert held == [100 + index for index in pairs.held_out.indices]


def test_the_last_tenth_of_each_domain_is_held_out_by_seed(tmp_path: Path) -> None:
    path = write_flat(tmp_path / "only.mindrecord", {"A": 12, "B": 31})
    data = domain_data(path, 0)
    assert [len(domain) for domain in data.train + data.held_out] == [10, 27, 2, 4]
    for train, held_out in zip(data.train, data.held_out, strict=True):
        assert set(train.rows).isdisjoint(held_out.rows)
    every = [row for domain in data.train + data.held_out for row in domain.rows]
    assert sorted(every) == list(range(43))
    assert data.held_out == domain_data(path, 0).held_out
    assert data.held_out != domain_data(path, 1).held_out
    assert data.pairs is None


def test_unpaired_training_images_with_paired_val_ones(tmp_path: Path) -> None:
    write_flat(tmp_path / "train.mindrecord", {"A": 4, "B": 6})
    write_pairs(tmp_path / "val.mindrecord", 3)
    data = domain_data(tmp_path, 0)
    assert [len(domain) for domain in data.train + data.held_out] == [4, 6, 3, 3]
    assert data.pairs is not None
    assert len(data.pairs) == 3
    a, b = ([shades(x)[0] for x in plain_images(domain, TINY, 3)] for domain in data.held_out)
    assert (a, b) == ([0, 1, 2], [100, 101, 102])
    assert str(tmp_path / "val.mindrecord") in data.description


def test_plain_images_are_exact_and_can_be_few(tmp_path: Path) -> None:
    pictures = [RNG.integers(0, 256, (16, 16, 1), dtype=np.uint8) for _ in range(4)]
    rows = [LabelledImage(picture, "x", str(n)) for n, picture in enumerate(pictures)]
    write_images(rows, tmp_path / "train.mindrecord")
    write_images(rows[:1], tmp_path / "val.mindrecord")
    data = domain_data(tmp_path, 0)
    assert data.channels == 1
    found = list(plain_images(data.train[0], TINY, 1, count=3))
    assert len(found) == 3
    for image, picture in zip(found, pictures, strict=False):
        assert (image.shape, image.dtype) == ((1, 1, 16, 16), np.float32)
        np.testing.assert_allclose(image[0, 0], picture[..., 0] / 127.5 - 1, atol=1e-6)


def test_data_that_do_not_suit_are_explained(tmp_path: Path) -> None:
    write_pairs(tmp_path / "uneven" / "train.mindrecord", 3, (1, 3))
    write_flat(tmp_path / "one" / "train.mindrecord", {"A": 3, "B": 1})
    write_flat(tmp_path / "others" / "train.mindrecord", {"A": 3, "B": 3})
    write_flat(tmp_path / "others" / "val.mindrecord", {"A": 3, "C": 3})
    for folder, words in {
        "uneven": "expected pairs with as many channels in A as in B",
        "one": "expected 2 images or more in B, one to hold out, found 1",
        "others": "expected domains A, B with 3 channels .* found A, C",
        "none": "expected a MindRecord file, found none",
    }.items():
        with pytest.raises(Pix2PixError, match=words) as found:
            domain_data(tmp_path / folder, 0)
        assert "\n" not in str(found.value)
    with pytest.raises(Pix2PixError, match="expected pairs, found images of domains"):
        open_record(tmp_path / "one" / "train.mindrecord")


def folders(source: Path, counts: Counts) -> Path:
    for n, (name, count) in enumerate(counts.items()):
        for number in range(count):
            save(source / name / f"{number}.png", 20 + number, 16 + n)
    return source


def call(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(command, [str(word) for word in words])
    return result.exit_code, result.output


def test_folders_of_images_become_domains(tmp_path: Path) -> None:
    source = folders(tmp_path / "in", {"apple": 12, "orange": 20})
    jpeg = save(source / "apple" / "x.jpg", 33, 21, quality=70)
    (source / "apple" / "notes.txt").write_text("hello")
    status, said = call("prepare", source, tmp_path / "out", "--unpaired", "--val-ratio", "0.25")
    assert status == 0, said
    assert "ignored   1 that are no images: apple/notes.txt" in said
    assert f"{tmp_path / 'out/train.mindrecord'}: 25 images" in said
    data = domain_data(tmp_path / "out", 0)
    assert [(d.name, len(d)) for d in data.train] == [("apple", 10), ("orange", 15)]
    assert [(d.name, len(d)) for d in data.held_out] == [("apple", 3), ("orange", 5)]
    stored = b"".join(path.read_bytes() for path in (tmp_path / "out").glob("*.mindrecord"))
    assert jpeg.read_bytes() in stored


def test_the_published_layout_of_cyclegan(tmp_path: Path) -> None:
    source = tmp_path / "in"
    folders(source, {"trainA": 4, "trainB": 3, "testA": 2, "testB": 1})
    paths = prepare(source, tmp_path / "out", recipe=Recipe(unpaired=True, channels=(1, 1)))
    assert [path.stem for path in paths] == ["train", "test"]
    data = domain_data(paths[0], 0)
    assert (data.names, data.channels) == (("A", "B"), 1)
    lengths = zip(data.train, data.held_out, strict=True)
    assert [len(train) + len(held_out) for train, held_out in lengths] == [4, 3]
    first = min(data.train[0].rows + data.held_out[0].rows)
    domain = replace(data.train[0], rows=(first,))
    (image,) = plain_images(domain, replace(TINY, height=16, width=20), 1)
    expected = read_image(source / "trainA" / "0.png", 1)[..., 0] / 127.5 - 1
    np.testing.assert_allclose(image[0, 0], expected, atol=1e-6)


def test_train_and_val_of_domains_and_shrinking(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("val", 1)):
        folders(tmp_path / "in" / split, {"day": count, "night": count})
    prepare(tmp_path / "in", tmp_path / "out", recipe=Recipe(unpaired=True, shrink=8))
    data = domain_data(tmp_path / "out", 0)
    assert [len(domain) for domain in data.train + data.held_out] == [3, 3, 1, 1]
    assert data.names == ("day", "night")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "pear").mkdir(), "pear: expected images of the domain pear"),
        (lambda folder: (folder / "b" / "9.jpg").write_text("x"), r"9\.jpg: expected an image"),
        (lambda folder: (folder / "b" / "0.png").rename(folder / "0.png"), "b: expected images"),
        (lambda folder: save(folder / "a" / "0.jpg"), r"one image called 0, found also 0\.jpg"),
    ],
    ids=["empty", "broken", "emptied", "twice"],
)
def test_folders_that_are_unfit_leave_no_record(tmp_path: Path, spoil: object, words: str) -> None:
    source = folders(tmp_path / "in", {"a": 2, "b": 1})
    spoil(source)  # type: ignore[operator]
    status, said = call("prepare", source, tmp_path / "out", "--unpaired")
    assert status == 1
    with pytest.raises(Pix2PixError, match=words):
        prepare(source, tmp_path / "out", recipe=Recipe(unpaired=True))
    assert said.splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "out").exists()


def test_options_of_pairs_do_not_go_with_unpaired(tmp_path: Path) -> None:
    for words, expected in {
        ("--swap",): "unpaired: expected no make, swap or halves",
        ("--make", "gray"): "unpaired: expected no make",
        ("--channels", "1", "3"): "channels: expected the same number twice",
    }.items():
        status, said = call("prepare", tmp_path, tmp_path / "out", "--unpaired", *words)
        assert status == 1
        assert expected in said
    status, said = call("prepare", tmp_path, tmp_path / "out", "--unpaired")
    assert "expected a subfolder of images for each domain, found none" in said


def test_embedded_facades_are_no_pairs_but_held_out_ones_are(tmp_path: Path) -> None:
    config = replace(TINY, size=32, jitter_size=32)
    embedded.unpaired_facades(tmp_path, config)
    data = domain_data(tmp_path, 0)
    assert data.names == ("A", "B")
    assert data.pairs is not None
    (a, b), size = data.train, 32
    assert len(a) == len(b) == config.facades // 2
    names, images = zip(*stored(a.path), strict=True)
    seeds = [{int(n.rsplit("_", 1)[1]) for n in names if n.startswith(kind)} for kind in "lp"]
    assert seeds[0].isdisjoint(seeds[1])
    maps = [is_label_map(image) for image in images]
    assert maps == [name.startswith("label") for name in names]
    held = {int(pair.name.rsplit("_", 1)[1]) for pair in read_record(data.held_out[0].path)}
    assert held.isdisjoint(seeds[0] | seeds[1])
    for pair in islice(read_record(data.held_out[0].path), 1):
        true = facade(int(pair.name.rsplit("_", 1)[1]), size)
        np.testing.assert_array_equal(pair.a, true.label_map)
        np.testing.assert_array_equal(pair.b, true.photo)


def stored(path: Path) -> list[tuple[str, np.ndarray]]:
    """Names and images of a record of images, read with MindRecord's own reader."""
    import io

    from mindspore.mindrecord import FileReader

    reader = FileReader(str(path))
    rows = [
        (row["name"], np.asarray(Image.open(io.BytesIO(row["image"])))) for row in reader.get_next()
    ]
    reader.close()
    return rows


def test_embedded_digits_are_scikit_learns(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    embedded.digits(tmp_path, replace(TINY, size=8, jitter_size=8))
    data, digits = domain_data(tmp_path, 0), load_digits()
    assert data.names == tuple("0123456789")
    assert data.channels == 1
    every = [sorted(t.rows + h.rows) for t, h in zip(data.train, data.held_out, strict=True)]
    assert every == [np.flatnonzero(digits.target == n).tolist() for n in range(10)]
    domain = replace(data.train[3], rows=tuple(every[3][:5]))
    for row, image in zip(every[3], plain_images(domain, TINY_8, 1), strict=False):
        expected = digits.images[row] * 2 / 16 - 1
        np.testing.assert_allclose(image[0, 0], expected, atol=1 / 127)


TINY_8 = replace(TINY, size=8, jitter_size=8)


def test_a_run_makes_takes_or_keeps_its_records(tmp_path: Path) -> None:
    config, run = replace(TINY, size=32, jitter_size=32), tmp_path / "run"
    make, recipe = embedded.unpaired_facades, Recipe(unpaired=True)
    made = run_records(None, run, config, False, make, recipe)
    assert made == run / "data"
    before = (made / "train.mindrecord").stat().st_mtime_ns
    assert run_records(None, run, config, True, make, recipe) == made
    assert (made / "train.mindrecord").stat().st_mtime_ns == before
    # Stopped before the run began, the same command must do.
    assert run_records(None, run, config, False, make, recipe) == made
    assert run_records(made, tmp_path / "other", config, False, make, recipe) == made
    source = folders(tmp_path / "in", {"cat": 3, "dog": 2})
    mine = run_records(source, tmp_path / "mine", config, False, make, recipe)
    assert domain_data(mine, 0).names == ("cat", "dog")


@pytest.mark.parametrize("name", ["a\nb", os.fsdecode(b"\xff")])
def test_names_of_domains_can_be_printed(name: str, tmp_path: Path) -> None:
    source = folders(tmp_path / "in", {"a": 1, name: 1})
    with pytest.raises(Pix2PixError, match="expected a name that can be printed") as found:
        prepare(source, tmp_path / "out", recipe=Recipe(unpaired=True))
    assert str(found.value).isprintable()


def test_fewer_images_than_a_batch_holds_are_refused(tmp_path: Path) -> None:
    data = of(tmp_path, {"A": 3, "B": 3})
    for table in (unpaired, labelled, with_references):
        with pytest.raises(Pix2PixError, match="batch_size: expected at most"):
            list(table(data, replace(TINY, batch_size=7), 1))
    with pytest.raises(Pix2PixError, match="batch_size: expected at most"):
        list(unpaired(data, replace(TINY, batch_size=4), 1))


def test_ignored_files_are_told_once(tmp_path: Path) -> None:
    source = folders(tmp_path / "in", {"trainA": 1, "trainB": 1, "testA": 1, "testB": 1})
    (source / "notes.txt").write_text("hello")
    lines = list[str]()
    prepare(source, tmp_path / "out", recipe=Recipe(unpaired=True), report=lines.append)
    assert "ignored   1 that are no images: in/notes.txt" in lines


def test_the_report_counts_each_split_by_domain(tmp_path: Path) -> None:
    source, lines = folders(tmp_path / "in", {"a": 8, "b": 4}), list[str]()
    prepare(source, tmp_path / "out", val_ratio=0.25, recipe=Recipe(unpaired=True),
            report=lines.append)  # fmt: skip
    assert lines[:2] == [
        "train     9 images, each folder a domain: a 6, b 3",
        "val       3 images, drawn from train with seed 0: a 2, b 1",
    ]


def test_splits_of_other_domains_are_refused(tmp_path: Path) -> None:
    folders(tmp_path / "in" / "train", {"a": 1, "b": 1})
    folders(tmp_path / "in" / "val", {"a": 1, "c": 1})
    with pytest.raises(Pix2PixError, match="same domains in val as in train, a, b, found a, c"):
        prepare(tmp_path / "in", tmp_path / "out", recipe=Recipe(unpaired=True))


def test_unpaired_means_two_domains(tmp_path: Path) -> None:
    data = of(tmp_path, {"a": 2, "b": 2, "c": 2})
    for use in (lambda: list(unpaired(data, TINY, 1)), lambda: unpaired_steps(data, TINY)):
        with pytest.raises(Pix2PixError, match="expected two domains, found 3: a, b, c"):
            use()


def test_pairs_as_two_domains_of_styles(tmp_path: Path) -> None:
    write_pairs(tmp_path / "train.mindrecord", 10)
    data = domain_data(tmp_path, 0)
    for x, own, one, other, target in with_references(data, TINY, 1):
        assert [shade >= 100 for shade in shades(x)] == [label == 1 for label in own]
        for reference in (one, other):
            assert [shade >= 100 for shade in shades(reference)] == [n == 1 for n in target]
