"""The cap on oneDNN, measured: one training step on the newest MindSpore with it and without.

`make bench-guard` installs that release beside the pinned one and runs this with its Python. A
step without the cap takes a minute or more: one is measured, after two that are not counted.
"""

import os
from statistics import median

from benchmarks.__main__ import heard, started
from benchmarks.task import Task


def step_seconds(cap: str, task: Task, calls: int) -> float:
    """Return the median of some steps after the first, under a cap; empty: the package's own."""
    os.environ.pop("ONEDNN_MAX_CPU_ISA", None)
    if cap:
        os.environ["ONEDNN_MAX_CPU_ISA"] = cap  # a user's own value stands
    with started("ours", "train", task) as child:
        heard(child)
        assert child.stdin
        child.stdin.write(f"{calls}\n")
        child.stdin.flush()
        return median(heard(child)["times"])


def main() -> None:
    """Print both, and how many times faster the guard is."""
    import mindspore

    task = Task(size=256, batch=1, width=64)
    slow = step_seconds("ALL", task, 1)
    fast = step_seconds("", task, 9)
    print(f"MindSpore {mindspore.__version__}, one training step at 256x256:")
    print(f"as installed {slow:.1f} s, with the guard {fast:.2f} s, ratio {slow / fast:.0f}")


if __name__ == "__main__":
    main()
