"""Which part of a step is a rank's: rows of what is drawn for all, places in an epoch's order.

The idea: order, crops, masks and noise are drawn for the whole step, the same on every rank, and
each keeps its own rows. So N ranks at batch size B see and draw what one process at N B does.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from pix2pix_ms.config.settings import Settings

Item = TypeVar("Item")


def share(count: int, config: Settings, rank: int) -> np.ndarray:
    """Return which of an epoch's samples are a rank's, int [M], counted in the order of the epoch.

    Of each step's `config.global_batch` the rank has the rows from rank times `batch_size` on; what
    does not fill a last step is left out. Alone it has all, and the batching leaves that out.
    """
    if config.ranks == 1:
        return np.arange(count)
    whole = count // config.global_batch
    places = np.arange(whole * config.global_batch)
    return places.reshape(whole, config.ranks, config.batch_size)[:, rank].ravel()


def shared(samples: Sequence[Item], config: Settings, rank: int) -> list[Item]:
    """Return a rank's share of an epoch's samples."""
    return [samples[place] for place in share(len(samples), config, rank).tolist()]


def own(drawn: np.ndarray, ranks: int, rank: int, axis: int = 0) -> np.ndarray:
    """Return a rank's rows of what was drawn for all, along `axis`."""
    return np.split(drawn, ranks, axis)[rank] if ranks > 1 else drawn
