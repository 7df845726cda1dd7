"""Every operator, cell and function that trains is documented for Ascend, GPU and CPU.

Only a CPU computes here. What the other devices are asked to compute is the same graph, and
MindSpore's documentation says of each of its operators which devices have it.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.platform_reference import (
    PACKAGE,
    TABLE,
    documentation,
    graphs,
    named_in_source,
    operators,
)

ALL = {"Ascend", "GPU", "CPU"}
STORED: dict[str, dict[str, str]] = json.loads(TABLE.read_text())

# Of the graph itself: every device's runtime moves, packs and chooses; no kernel computes.
STRUCTURE = {
    f"prim.{name}"
    for name in (
        "Depend", "Load", "MakeTuple", "Partial", "Return", "Switch", "TensorMove", "TupleGetItem",
        "UpdateState", "call",
    )
}  # fmt: skip
# Without documentation of their own: gradients, which come with the operator they are of, and
# forms of a documented function that MindSpore makes of it.
STANDS_FOR = {
    "prim.AddScalar": "ops.add", "prim.Muls": "ops.mul",
}  # fmt: skip
# Documented for fewer, and the branch that keeps them off the others.
EXCEPTIONS = {
    # Its documentation leaves the CPU out, which has the operator Conv2D that it is (below).
    "ops.conv2d": "nets/blocks.py and nets/resnet.py call it under `computes_on_cpu()` alone",
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], dict[str, np.ndarray]]:
    """The graphs of every model's training step, and the losses they gave."""
    folder = tmp_path_factory.mktemp("graphs")
    saving = {"MS_DEV_SAVE_GRAPHS": "1", "MS_DEV_DUMP_IR_PASSES": "validate"}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.every_model"], cwd=PACKAGE.parent, check=True, text=True,
        capture_output=True, env={**os.environ, **saving, "MS_DEV_SAVE_GRAPHS_PATH": str(folder)},
    )  # fmt: skip
    losses = json.loads(ran.stdout.splitlines()[-1])
    return graphs(folder), {name: np.array(values) for name, values in losses.items()}


@pytest.fixture(scope="module")
def used(compiled: tuple[list[str], dict[str, np.ndarray]]) -> set[str]:
    """The names of all that trains."""
    return {name for graph in compiled[0] for name in operators(graph)} | named_in_source()


def installed() -> dict[str, str]:
    (place,) = find_spec("mindspore").submodule_search_locations  # type: ignore[union-attr, misc]
    return documentation(Path(place))
