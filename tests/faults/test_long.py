"""A long training takes no more memory, time a step, or file handles at its end than before."""

import json
from pathlib import Path

import numpy as np
from harness import FULL, TINY, Children

# The quick preset for 2,016 steps, or its smallest relative for 200; compiled, because operation by
# operation MindSpore itself (2.8) holds on to a third of a MB a step.
SMALLEST = TINY | {"facades": 44, "epochs": 5, "jit": True}
SETTINGS = {"facades": 280, "epochs": 8} if FULL else SMALLEST
WARM, MEMORY = 20, 0.02  # how much more memory than after so many steps of an early epoch
PATIENCE = 1.5 if FULL else 10  # times as long a step: other tests run beside it


def test_a_long_training_grows_in_nothing(forked: Children, tmp_path: Path) -> None:
    measured = tmp_path / "measured.json"
    child = forked.start("long", folder=str(tmp_path / "run"), measured=str(measured), **SETTINGS)
    assert child.status() == 0, child.said()
    seconds, resident, opened = np.array(json.loads(measured.read_text())).T
    assert len(seconds) >= (2000 if FULL else 190)
    thirds = np.array_split(seconds, 3)
    quick = [float(np.quantile(third, 0.1)) for third in thirds]
    # At the end of the first epoch much is loaded, and then given back: of the second is stricter.
    early = [WARM, len(seconds) // SETTINGS["epochs"] + WARM]
    growth = [resident[start:].max() / resident[start] - 1 for start in early]
    print(f"memory {growth}, seconds a step {quick}, handles {opened[WARM]}, {opened[-1]}")
    assert max(growth) < MEMORY
    assert quick[2] < quick[0] * PATIENCE
    assert opened[-1] <= opened[WARM]
