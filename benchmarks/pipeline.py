"""The data pipeline alone: pairs per second from MindRecord with jitter, one worker."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pix2pix_ms import preset, training_data, write_record
from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.pair_batches import epoch_data


def pairs_per_second(size: int = 256, pairs: int = 240) -> Callable[[], float]:
    """Return a measurement of one epoch over procedural facades of `size` pixels."""
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "train.mindrecord"
    write_record(facade_pairs(pairs, size), path)
    config = preset("paper", size=size, jitter_size=size + 30)
    subset = training_data(path, config.seed).train

    def rate() -> float:
        assert folder  # kept until the last measurement
        rows = epoch_data(subset, config, epoch=1).create_tuple_iterator(
            output_numpy=True, num_epochs=1
        )
        next(rows)  # what starting the pipeline costs falls to the first row
        began = time.perf_counter()
        count = sum(1 for _ in rows)
        return count / (time.perf_counter() - began)

    return rate
