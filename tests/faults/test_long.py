"""A long training takes no more memory, time a step, or file handles at its end than before."""

import json
from pathlib import Path

import numpy as np
from harness import FULL, TINY, Children

# The quick preset for 2,016 steps, or its smallest relative for 200; compiled, because operation by
# operation MindSpore itself (2.8) holds on to a third of a MB a step.
SMALLEST = TINY | {"facades": 44, "epochs": 5, "jit": True}
SETTINGS = {"facades": 280, "epochs": 8} if FULL else SMALLEST
MEMORY = 0.02 if FULL else 0.04  # how much more of it in the last third; before it warms up
PATIENCE = 1.5  # times as long a step: other things run on the machine


def test_a_long_training_grows_in_nothing(forked: Children, tmp_path: Path) -> None:
    measured = tmp_path / "measured.json"
    child = forked.start("long", folder=str(tmp_path / "run"), measured=str(measured), **SETTINGS)
    assert child.status() == 0, child.said()
    seconds, resident, opened = np.array(json.loads(measured.read_text())).T
    assert len(seconds) >= (2000 if FULL else 190)
    thirds = np.array_split(np.arange(len(seconds)), 3)
    medians = [float(np.median(seconds[third])) for third in thirds]
    memory = [float(np.median(resident[third[-20:]])) for third in thirds]
    handles = [int(np.median(opened[third[-20:]])) for third in thirds]
    print(f"seconds a step {medians}, pages {memory}, handles {handles}")
    assert memory[2] < memory[1] * (1 + MEMORY)
    assert medians[2] < medians[0] * PATIENCE
    assert handles[2] <= handles[0]
