"""Random numbers by seed, use and position, independent of what was drawn before."""

from enum import IntEnum

import numpy as np

DROPOUT_RATE = 0.5


class Stream(IntEnum):
    """What random numbers are for; each use draws from a stream of its own."""

    WEIGHTS = 0
    DROPOUT = 1
    PIPELINE = 2
    SPLIT = 3
    INFERENCE = 4
    NOISE = 5
    POOL = 6
    INTERPOLATION = 7


def random(seed: int, stream: Stream, *position: int) -> np.random.Generator:
    """Return the generator of random numbers for one use at one position.

    Any epoch or step can be drawn again without those before it, so a resumed run is equal to the
    bit. MindSpore's own dropout is reproducible from a seed, but setting the seed again does not
    rewind an existing layer (2.8).
    """
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, stream, *position))))


def dropout(uniform: np.ndarray) -> np.ndarray:
    """Return a mask of inverted dropout for numbers drawn in [0, 1): float32, entries 0 or 2."""
    return (uniform >= DROPOUT_RATE).astype(np.float32) / (1 - DROPOUT_RATE)
