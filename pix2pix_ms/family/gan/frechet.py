"""The Frechet distance of two sets of images: of Gaussians fitted to their features.

Images from noise have no target to compare them with. Heusel et al. 2017 fit a Gaussian to the
features of each set and compute the distance of the two (equation 6). With the features of an
Inception network it is the FID. Here the features are the images at 8x8: computed in milliseconds
without a network, blind to finer detail, and not comparable with a FID.
"""

import numpy as np

SIDE = 8


def frechet(images: np.ndarray, others: np.ndarray) -> float:
    """Return the distance of two sets of images, float32 [N, C, H, W] each: 0 if they are equal.

    |m - m'|^2 + tr(S + S' - 2 (S S')^(1/2)), of means m and covariances S.
    """
    (m1, s1), (m2, s2) = (
        (features.mean(0), np.cov(features, rowvar=False, bias=True))
        for features in (shrunk(images), shrunk(others))
    )
    values, vectors = np.linalg.eigh(s1)
    half = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T  # the square root of S
    overlap = np.sqrt(np.clip(np.linalg.eigvalsh(half @ s2 @ half), 0, None)).sum()
    return float(((m1 - m2) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * overlap)


def shrunk(images: np.ndarray) -> np.ndarray:
    """Average images over the cells of an 8x8 grid: [N, C, H, W] to float64 [N, C * 64]."""
    down, across = (cells(side) for side in images.shape[2:])
    return (down @ images.astype(np.float64) @ across.T).reshape(len(images), -1)


def cells(side: int) -> np.ndarray:
    """Return the weight of each of `side` pixels in each of 8 cells: [8, side], rows sum to 1."""
    edges = np.arange(SIDE + 1)[:, None] * side / SIDE
    covered = np.clip(edges - np.arange(side), 0, 1)
    return np.diff(covered, axis=0) * SIDE / side
