"""One program in a process of its own: `python -m benchmarks.child PROGRAM WORK SIZE BATCH WIDTH`.

It prepares itself, then answers each number on its standard input with a line of JSON: the
seconds of that many calls, after one that is not counted because the others have emptied the
caches. Between turns it waits, so that programs can take turns on one machine.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable

from benchmarks.task import Task

# The module of each program, and the words its functions want in front of the task.
PROGRAMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ours": ("ours", ()),
    "ours_spinning": ("ours", ()),
    "torch_eager": ("pytorch", ("eager",)),
    "torch_best": ("pytorch", ("best",)),
    "torch_compile": ("pytorch", ("compiled",)),
    "tutorial_pynative": ("tutorial", ("pynative",)),
    "tutorial_graph": ("tutorial", ("graph",)),
}
# What the limit of a training step is reckoned from; these take turns with the steps.
RATES: dict[str, tuple[str, tuple[str, ...]]] = {
    "product_mindspore": ("limit", ("mindspore",)),
    "product_torch": ("limit", ("torch",)),
    "copy": ("limit", ("copy",)),
}
# The network out of Python, which only infers: `python -m benchmarks.exported`.
EXPORTED: dict[str, tuple[str, tuple[str, ...]]] = {
    "ours_paper": ("exported", ("mindspore", "paper")),
    "ours_eval": ("exported", ("mindspore", "eval")),
    "onnxruntime_paper": ("exported", ("onnxruntime", "paper")),
    "onnxruntime_eval": ("exported", ("onnxruntime", "eval")),
}
ALL = PROGRAMS | RATES | EXPORTED
# MindSpore waits in an empty loop unless pix2pix_ms, which guards the tutorial's convolutions too,
# lets it sleep; PyTorch asks for huge pages if told to.
SPINNING, ASLEEP = ({"MS_DEV_HOST_BLOCKING_RUN": value} for value in "01")
ENVIRONMENT: dict[str, dict[str, str]] = {
    "ours": ASLEEP,
    "ours_paper": ASLEEP,
    "ours_eval": ASLEEP,
    "ours_spinning": SPINNING,
    "torch_best": {"THP_MEM_ALLOC_ENABLE": "1"},
    "tutorial_pynative": SPINNING,
    "tutorial_graph": SPINNING,
    "product_mindspore": ASLEEP,
}


def prepare(program: str, work: str, task: Task) -> Callable[[], object]:
    """Return the call that does one unit of work, `train` or `infer`."""
    module, words = ALL[program]
    function = "once" if program in RATES else work
    build = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    call: Callable[[], object] = build(*words, task)
    return call


def seconds(call: Callable[[], object]) -> float:
    """Return how long one call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def peak_megabytes() -> float:
    """Return the most memory this process has held so far."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def answer(message: dict[str, object]) -> None:
    """Send one line to the process that started this one."""
    print(json.dumps(message), flush=True)


def main(program: str, work: str, *numbers: str) -> None:
    """Prepare, report the first call, then take turns until the input ends."""
    importlib.import_module(f"benchmarks.{ALL[program][0]}")  # does not count
    began = time.perf_counter()
    call = prepare(program, work, Task(*map(int, numbers)))
    answer({"build": time.perf_counter() - began, "first": seconds(call)})
    for turn in sys.stdin:
        call()
        times = [seconds(call) for _ in range(int(turn))]
        answer({"times": times, "peak_megabytes": peak_megabytes()})


if __name__ == "__main__":
    main(*sys.argv[1:])
