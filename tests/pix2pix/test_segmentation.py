import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from pix2pix_ms.data.facades import classes_of, facade, is_label_map
from pix2pix_ms.data.images import Pixels
from pix2pix_ms.pix2pix.measures.scores import CLASSES, confusion, segmentation_scores


def compressed(image: Pixels, quality: int) -> Pixels:
    """The picture as JPEG gives it back."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def test_a_class_that_is_not_there_counts_only_as_a_mistake() -> None:
    truth, predicted = np.array([[3, 3, 3, 3]], np.uint8), np.array([[3, 3, 7, 11]], np.uint8)
    counts = confusion(truth, predicted)
    assert (counts[3, 3], counts[3, 7], counts[3, 11], counts.sum()) == (2, 1, 1, 4)
    assert segmentation_scores(counts) == (0.5, 0.5, 0.5)


def test_scores_agree_with_their_definitions_on_random_labels() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, CLASSES - 2, (3, 20, 20)).astype(np.uint8)
    predicted = np.where(
        rng.random(truth.shape) < 0.4, truth, rng.integers(0, CLASSES, truth.shape)
    )
    found = segmentation_scores(sum(map(confusion, truth, predicted)))  # image by image
    present = np.unique(truth)
    recall = [(predicted[truth == kind] == kind).mean() for kind in present]
    jaccard = [
        ((truth == kind) & (predicted == kind)).sum()
        / ((truth == kind) | (predicted == kind)).sum()
        for kind in present
    ]
    assert found.pixel_accuracy == pytest.approx((truth == predicted).mean())
    assert found.class_accuracy == pytest.approx(np.mean(recall))
    assert found.class_iou == pytest.approx(np.mean(jaccard))


def test_labels_survive_jpeg() -> None:
    """Away from edges nearly all; most of all, though colours bleed into each other there."""
    label_map = facade(5, 256).label_map
    truth, found = classes_of(label_map), classes_of(compressed(label_map, 75))
    assert (truth == found).mean() > 0.93
    inside = np.ones(truth.shape, bool)
    for axis in (0, 1):
        for before, after in pairwise(range(-8, 9, 4)):
            inside &= np.roll(truth, before, axis) == np.roll(truth, after, axis)
    assert inside.mean() > 0.25
    assert (truth == found)[inside].mean() > 0.995


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_label_maps_and_photos_are_distinguished(quality: int) -> None:
    for seed in range(20):
        label_map, photo = (compressed(image, quality) for image in facade(seed, 128))
        assert is_label_map(label_map)
        assert not is_label_map(photo)
