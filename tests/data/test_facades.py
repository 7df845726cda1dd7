"""The procedural facades: exact labels, repeatable buildings, photos that follow their labels."""

import numpy as np
import pytest

from pix2pix_ms.data.facades import COLOURS, PALETTE, Facade, classes_of, facade

SEEDS = range(100)
NAMES = list(PALETTE)
CMP = (
    ("background", (0, 0, 222)),
    ("facade", (0, 48, 255)),
    ("window", (0, 128, 255)),
    ("door", (0, 207, 255)),
    ("cornice", (32, 255, 224)),
    ("sill", (112, 255, 142)),
    ("balcony", (192, 255, 63)),
    ("blind", (255, 240, 0)),
    ("deco", (255, 159, 0)),
    ("molding", (255, 80, 0)),
    ("pillar", (255, 0, 0)),
    ("shop", (174, 0, 0)),
)


@pytest.fixture(scope="module")
def pairs() -> list[Facade]:
    return [facade(seed, 64) for seed in SEEDS]


def brightness(pair: Facade, name: str) -> float:
    return float(pair.photo[classes_of(pair.label_map) == NAMES.index(name)].mean())


def test_palette_is_that_of_cmp() -> None:
    assert tuple(PALETTE.items()) == CMP


@pytest.mark.parametrize("size", [32, 256, 1024])
def test_pair_has_two_rgb_pictures_of_the_size_asked_for(size: int) -> None:
    pair = facade(3, size)
    assert pair.label_map.shape == pair.photo.shape == (size, size, 3)
    assert pair.label_map.dtype == pair.photo.dtype == np.uint8


def test_label_maps_hold_palette_colours_only(pairs: list[Facade]) -> None:
    colours = np.unique(np.concatenate([pair.label_map.reshape(-1, 3) for pair in pairs]), axis=0)
    assert {tuple(colour) for colour in colours.tolist()} == set(PALETTE.values())


def test_same_seed_gives_the_same_bytes_whatever_was_made_before() -> None:
    first = facade(11, 64)
    facade(12, 64)
    np.random.default_rng(0).random()
    again = facade(11, 64)
    assert first.label_map.tobytes() == again.label_map.tobytes()
    assert first.photo.tobytes() == again.photo.tobytes()


def test_seeds_give_different_buildings(pairs: list[Facade]) -> None:
    assert len({pair.label_map.tobytes() for pair in pairs}) == len(pairs)
    assert len({pair.photo.tobytes() for pair in pairs}) == len(pairs)


@pytest.mark.parametrize("seed", range(4))
def test_building_is_the_same_at_every_size(seed: int) -> None:
    large, small = facade(seed, 256), facade(seed, 64)
    subsampled = classes_of(large.label_map)[2::4, 2::4]
    assert (subsampled == classes_of(small.label_map)).mean() > 0.85
    averaged = large.photo.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    assert np.abs(averaged - small.photo).mean() < 4


def test_every_class_is_common(pairs: list[Facade]) -> None:
    present = np.array(
        [[index in classes_of(pair.label_map) for index in range(12)] for pair in pairs]
    )
    share = dict(zip(NAMES, present.mean(axis=0), strict=True))
    assert min(share.values()) >= 0.1, share
    assert min(share[name] for name in ("background", "facade", "window")) >= 0.97, share


def test_what_has_no_picture_is_refused() -> None:
    for size in (0, 16, 100, 255, 2048, -64):
        with pytest.raises(ValueError, match=rf"power of two from 32 to 1024, found {size}$"):
            facade(0, size)
    with pytest.raises(ValueError, match=r"from 0 on, found -1$"):
        facade(-1)


def test_classes_of_inverts_the_palette() -> None:
    index = np.arange(12, dtype=np.uint8).reshape(3, 4)
    found = classes_of(COLOURS[index])
    assert found.dtype == np.uint8
    assert (found == index).all()


def test_classes_of_tolerates_noise() -> None:
    label_map = facade(5, 64).label_map
    noise = np.random.default_rng(0).integers(-20, 21, label_map.shape)
    noisy = np.clip(label_map + noise, 0, 255).astype(np.uint8)
    assert (classes_of(noisy) == classes_of(label_map)).all()


def test_classes_of_refuses_what_is_no_picture() -> None:
    with pytest.raises(ValueError, match=r"expected shape .*, found \(4, 4\)"):
        classes_of(np.zeros((4, 4), dtype=np.uint8))


def test_windows_and_doors_are_darker_than_the_wall(pairs: list[Facade]) -> None:
    for pair in pairs:
        assert brightness(pair, "window") < brightness(pair, "facade")
        assert brightness(pair, "door") < brightness(pair, "facade")


def test_mean_colour_of_each_class_predicts_the_photo(pairs: list[Facade]) -> None:
    classes = np.stack([classes_of(pair.label_map) for pair in pairs])
    photos = np.stack([pair.photo for pair in pairs]).astype(np.float32)
    means = np.stack([photos[classes == index].mean(axis=0) for index in range(12)])
    unexplained = ((photos - means[classes]) ** 2).mean()
    assert unexplained < 0.7 * photos.var(axis=(0, 1, 2)).mean()


def test_photos_use_the_tonal_range(pairs: list[Facade]) -> None:
    for pair in pairs:
        dark, light = np.percentile(pair.photo, (2, 98))
        assert dark < 90
        assert light > 150
