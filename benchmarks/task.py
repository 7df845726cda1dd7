"""What every program is asked to do: the same sizes, the same images."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Task:
    """Square images of `size` pixels, `batch` at a time, `width` filters in both first layers."""

    size: int
    batch: int
    width: int

    def images(self) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y, float32 [batch, 3, size, size] in [-1, 1]: noise, as good as any."""
        rng = np.random.default_rng(0)
        shape = (2, self.batch, 3, self.size, self.size)
        x, y = rng.uniform(-1, 1, shape).astype(np.float32)
        return x, y
