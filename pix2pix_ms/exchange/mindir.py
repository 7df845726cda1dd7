"""A generator as MindIR: `mindspore.load` and `nn.GraphCell` run it without this package.

MindSpore (2.8) writes batch normalisation with batch statistics as it is. Its moving statistics are
parameters of the graph, which a call with momentum 0 does not change.
"""

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor

from pix2pix_ms.exchange.frozen import Alone, Frozen


def write(network: Frozen, path: Path) -> None:
    """Write the graph for one shape, with float32 weights, and metadata in its `user_info`."""

    def describe(model: Any) -> None:
        for key, value in network.facts().items():
            model.user_info.add(key=key, value=value)

    image = Tensor(np.zeros(network.shape, np.float32))
    # MindSpore (2.8) refuses paths with spaces or accents; test_onnx.py tests if it still does.
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as folder:
        made = Path(folder).absolute() / "graph.mindir"
        with contextlib.chdir(folder):
            ms.export(
                Alone(network.generator, network.masks), image,
                file_name=made.name, file_format="MINDIR", custom_func=describe,
            )  # fmt: skip
        made.replace(path)
