"""A long training takes no more memory, time a step, or file handles at its end than before."""

import json
from pathlib import Path

import numpy as np
import pytest
from harness import FULL, Children

from tests.runs import TINY

pytestmark = pytest.mark.linux

# The quick preset for 2,016 steps, or its smallest relative for 200; compiled, because operation by
# operation MindSpore itself (2.8) holds on to a third of a MB a step.
SMALLEST = TINY | {"facades": 44, "epochs": 5, "jit": True}
SETTINGS = {"facades": 280, "epochs": 8} if FULL else SMALLEST
WARM, MEMORY = 20, 0.02  # how much more memory than after so many steps of an early epoch
PATIENCE = 1.5  # times as long a step, measured by a known work beside each
TRIES = 3  # what drifts does so each time; what else runs on the machine does not


def drift(forked: Children, folder: Path) -> float:
    """Train; see that memory and handles do not grow; return how much slower steps have become."""
    folder.mkdir()
    measured = folder / "measured.json"
    child = forked.start("long", folder=str(folder / "run"), measured=str(measured), **SETTINGS)
    assert child.status() == 0, child.said()
    times, resident, opened = np.array(json.loads(measured.read_text())).T
    assert len(times) >= (2000 if FULL else 190)
    first, _, last = (float(np.median(third)) for third in np.array_split(times, 3))
    # At the end of the first epoch much is loaded, and then given back: of the second is stricter.
    early = [WARM, len(times) // SETTINGS["epochs"] + WARM]
    growth = [float(resident[start:].max() / resident[start] - 1) for start in early]
    print(f"memory {growth}, step time {last / first}, handles {opened[WARM]}, {opened[-1]}")
    assert max(growth) < MEMORY
    assert opened[-1] <= opened[WARM]
    return last / first


def test_a_long_training_leaks_nothing(forked: Children, tmp_path: Path) -> None:
    assert any(drift(forked, tmp_path / str(number)) < PATIENCE for number in range(TRIES))
