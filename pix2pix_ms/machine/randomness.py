"""Every draw: by seed, use and position, so that nothing depends on what was drawn before."""

from enum import IntEnum

import numpy as np


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

    Counter-based (Philox), so that any epoch or step can be drawn again without the ones before
    it: this is what makes a resumed run equal to the bit. MindSpore's own dropout repeats its
    masks from a seed, but setting the seed again does not rewind a layer that exists (2.8).
    """
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, stream, *position))))
