"""The procedural facades: exact labels, repeatable buildings, photos that follow their labels."""

import zlib

import numpy as np
import pytest

from pix2pix_ms.data.facades import COLOURS, PALETTE, Facade, classes_of, facade

SEEDS = range(100)
NAMES = list(PALETTE)


@pytest.fixture(scope="module")
def pairs() -> list[Facade]:
    return [facade(seed, 64) for seed in SEEDS]


def brightness(pair: Facade, name: str) -> float:
    return float(pair.photo[classes_of(pair.label_map) == NAMES.index(name)].mean())


@pytest.mark.parametrize("size", [32, 256, 1024])
def test_pair_has_two_rgb_pictures_of_the_size_asked_for(size: int) -> None:
    pair = facade(3, size)
    assert pair.label_map.shape == pair.photo.shape == (size, size, 3)
    assert pair.label_map.dtype == pair.photo.dtype == np.uint8


def test_label_maps_hold_palette_colours_only(pairs: list[Facade]) -> None:
    colours = np.unique(np.concatenate([pair.label_map.reshape(-1, 3) for pair in pairs]), axis=0)
    assert {tuple(colour) for colour in colours.tolist()} == set(PALETTE.values())


def test_each_seed_gives_its_own_bytes_whatever_was_made_before(pairs: list[Facade]) -> None:
    """Shipped records, networks and pictures are of these."""
    again = facade(11, 64)
    assert zlib.crc32(again.label_map.tobytes()) == 4121819103
    assert again.photo.tobytes() == pairs[11].photo.tobytes()
    for images in zip(*pairs, strict=True):
        assert len({image.tobytes() for image in images}) == len(pairs)


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


def test_other_sizes_and_negative_seeds_are_refused() -> None:
    for size in (0, 16, 100, 255, 2048, -64):
        with pytest.raises(ValueError, match=rf"power of two from 32 to 1024, found {size}$"):
            facade(0, size)
    with pytest.raises(ValueError, match=r"from 0 on, found -1$"):
        facade(-1)


def test_classes_of_inverts_the_palette_also_through_noise() -> None:
    index = np.arange(12, dtype=np.uint8).repeat(50).reshape(20, 30)
    noise = np.random.default_rng(0).integers(-20, 21, (20, 30, 3))
    for label_map in (COLOURS[index], np.clip(COLOURS[index] + noise, 0, 255).astype(np.uint8)):
        found = classes_of(label_map)
        assert found.dtype == np.uint8
        assert (found == index).all()
    with pytest.raises(ValueError, match=r"expected shape .*, found \(4, 4\)"):
        classes_of(np.zeros((4, 4), dtype=np.uint8))


def test_photos_have_dark_openings_and_use_the_tonal_range(pairs: list[Facade]) -> None:
    for pair in pairs:
        assert brightness(pair, "window") < brightness(pair, "facade")
        assert brightness(pair, "door") < brightness(pair, "facade")
        dark, light = np.percentile(pair.photo, (2, 98))
        assert dark < 90
        assert light > 150


def test_mean_colour_of_each_class_predicts_the_photo(pairs: list[Facade]) -> None:
    classes = np.stack([classes_of(pair.label_map) for pair in pairs])
    photos = np.stack([pair.photo for pair in pairs]).astype(np.float32)
    means = np.stack([photos[classes == index].mean(axis=0) for index in range(12)])
    unexplained = ((photos - means[classes]) ** 2).mean()
    assert unexplained < 0.7 * photos.var(axis=(0, 1, 2)).mean()
