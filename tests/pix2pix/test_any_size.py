"""Pictures of other sizes than the network's: whole, in random crops, in subfolders."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.facades import facade
from pix2pix_ms.data.images import Pair, from_pixels, to_pixels
from pix2pix_ms.data.pair_batches import epoch_data, pairs_of, plain_data, whole
from pix2pix_ms.data.records import open_record
from pix2pix_ms.data.writing import write_record
from pix2pix_ms.pix2pix import translate as translating
from pix2pix_ms.pix2pix.step import generator_of
from pix2pix_ms.pix2pix.translate import Translator
from pix2pix_ms.training.checkpoints import load_generator
from tests.runs import TINY, options, output, refusal, saved

SMALL = {"size": 32, "jitter_size": 36, "ngf": 4, "jit": False}
GENERATORS: dict[str, dict[str, Any]] = {
    "unet": {"levels": 3},
    "resnet": {"generator": "resnet", "n_blocks": 1},
}


def place(image: np.ndarray) -> np.ndarray:
    """Write into every pixel where it is: its row in red, its column in green."""
    rows, columns = np.indices(image.shape[:2])
    return np.stack([rows, columns, rows + columns], -1).astype(np.uint8)


@pytest.fixture(params=GENERATORS)
def checkpoint(request: Any, tmp_path: Path) -> Path:
    config = Config(**SMALL, **GENERATORS[request.param])
    return saved(generator_of(config), config, tmp_path / "g.ckpt")


@pytest.mark.parametrize("size", [(45, 70), (64, 32), (5, 3)])
def test_a_whole_picture_goes_through_the_network(
    checkpoint: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    """Mirrored to multiples of 8 or 4, and cut back; so no pixel is resized."""
    image = place(np.zeros((*size, 3)))
    Image.fromarray(image).save(tmp_path / "x.png")
    words = ("translate", tmp_path / "x.png", "--checkpoint", checkpoint, "--fit", "whole")
    output(*words, "--out", tmp_path / "out")
    found = np.asarray(Image.open(tmp_path / "out" / "x.png"))
    multiple = load_generator(checkpoint)[0].multiple
    sides = [max(-(-side // multiple) * multiple, 8) for side in size]
    around = [(0, side - length) for side, length in zip(sides, size, strict=True)]
    mirrored = np.pad(image, [*around, (0, 0)], "symmetric")
    generated = Translator(*load_generator(checkpoint))(from_pixels(mirrored)[None])[0]
    np.testing.assert_array_equal(found, to_pixels(generated)[: size[0], : size[1]])


def test_a_picture_of_the_networks_size_is_the_same_in_every_view(checkpoint: Path) -> None:
    translator, image = Translator(*load_generator(checkpoint)), facade(2, 32).label_map
    found = [translator.image(image, fit=fit) for fit in ("resize", "pad", "whole")]
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[0], found[1])


def test_enlarged_results_are_reported_and_memory_is_limited(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, side in (("small", 30), ("large", 60), ("larger", 72)):
        Image.fromarray(facade(1, 128).photo[:side, :side]).save(tmp_path / f"{name}.png")
    files = sorted(tmp_path.glob("*.png"))
    words = ("translate", *files, "--checkpoint", checkpoint, "--out", tmp_path / "out", "--force")
    line, count = output(*words).splitlines()
    assert "large.png" in line and "larger.png" in line and "small.png" not in line
    assert "32x32" in line and "--fit whole" in line
    assert count.startswith("3 images")
    assert len(output(*words, "--fit", "whole").splitlines()) == 1
    each = translating.BYTES[type(load_generator(checkpoint)[0])]
    monkeypatch.setattr(translating, "MEMORY", 64 * 64 * each * SMALL["ngf"])
    assert "72x72" in refusal(*words, "--fit", "whole", about="fit: expected at most 0.0 million")


def test_random_crops_are_of_the_full_resolution(tmp_path: Path) -> None:
    """Each epoch others, the same for one seed; an image that is too small is enlarged."""
    sizes = [(60, 50), (33, 90), (40, 40), (20, 24)]
    images = [place(np.zeros((*size, 3))) for size in sizes]
    pairs = [Pair(image, image, str(number)) for number, image in enumerate(images)]
    write_record(iter(pairs), tmp_path / "train.mindrecord")
    subset = whole(open_record(tmp_path / "train.mindrecord"))
    config = Config(**{**SMALL, "jitter_size": None}, fit="random-crop", mirror=False)
    epochs = [
        [to_pixels(x[0]) for x, y in pairs_of(epoch_data(subset, config, epoch), subset)]
        for epoch in (1, 2, 1)
    ]
    for first, again in zip(epochs[0], epochs[2], strict=True):
        np.testing.assert_array_equal(first, again)
    assert any(not np.array_equal(a, b) for a, b in zip(epochs[0], epochs[1], strict=True))
    steps = [np.diff(x[:, :, 0].astype(int), axis=0) for x in epochs[0]]
    assert sorted((step == 1).all() for step in steps) == [False, True, True, True]
    for x, y in pairs_of(epoch_data(subset, config, 1), subset):
        np.testing.assert_array_equal(x, y)
    middle, *_ = (to_pixels(x[0]) for x, _ in pairs_of(plain_data(subset, config), subset))
    np.testing.assert_array_equal(middle, images[0][14:46, 9:41])


def test_a_run_on_random_crops_translates_whole_pictures(tmp_path: Path) -> None:
    for number in range(4):
        both = np.hstack([facade(number, 64).label_map, facade(number, 64).photo])
        (tmp_path / "pairs").mkdir(exist_ok=True)
        Image.fromarray(both).save(tmp_path / "pairs" / f"{number}.png")
    settings = {n: v for n, v in TINY.items() if n not in ("jitter_size", "epochs")}
    run = ("--out", tmp_path / "run", *options(settings), "--epochs", 1)
    output("train", "--data", tmp_path / "pairs", "--fit", "random-crop", *run)
    facade_64 = tmp_path / "x.png"
    Image.fromarray(facade(9, 64).label_map).save(facade_64)
    words = ("translate", facade_64, "--checkpoint", tmp_path / "run", "--out")
    assert len(output(*words, tmp_path / "a").splitlines()) == 1, "nothing is enlarged"
    output(*words, tmp_path / "b", "--fit", "whole")
    assert (tmp_path / "a" / "x.png").read_bytes() == (tmp_path / "b" / "x.png").read_bytes()
    _, config = load_generator(tmp_path / "run")
    assert replace(config, fit="resize").jitter == 36 and config.jitter == 32


def test_subfolders_and_the_longest_names_are_kept(tmp_path: Path) -> None:
    config = Config(**SMALL, levels=3)
    g = saved(generator_of(config), config, tmp_path / "g.ckpt")
    long = "я" * 124
    for name in ("a/frame", "b/frame", f"d/c/{long}"):
        path = tmp_path / "films" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(facade(1, 32).label_map).save(path)
    output("translate", tmp_path / "films", "--checkpoint", g, "--out", tmp_path / "out")
    found = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.png"))
    assert found == ["a/frame.png", "b/frame.png", f"d/c/{long}.png"]
