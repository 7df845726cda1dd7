"""The network out of Python: onnxruntime's speed beside ours, in one run.

`python -m benchmarks.exported` measures one inference of the generator with both statistics,
dropout off, on as many threads as this process has cores, and writes `exported.json`. The programs
are processes that take turns, as in `python -m benchmarks`.
"""

import pix2pix_ms  # noqa: I001  (before mindspore: it prepares the process)

import argparse
import datetime
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import mindspore as ms
import numpy as np
import onnxruntime
from mindspore import Tensor

from benchmarks import report
from benchmarks.__main__ import INFER, TURNS, interleaved
from benchmarks.child import EXPORTED
from benchmarks.ours import config_of
from benchmarks.task import Task
from pix2pix_ms.exchange.frozen import Frozen, freeze
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.exchange.onnx_graph import model_of
from pix2pix_ms.pix2pix.translate import Mode

RESULTS = Path(__file__).with_name("exported.json")
Runtime = Literal["mindspore", "onnxruntime"]


def infer(runtime: Runtime, mode: Mode, task: Task) -> Callable[[], np.ndarray]:
    """Return the inference of one batch of images as a runtime does it."""
    config = config_of(task)
    generator = pix2pix_ms.UNet(config)
    initialise(generator, config)
    frozen = freeze(generator, config, mode)
    x, _ = task.images()
    return {"mindspore": compiled, "onnxruntime": session}[runtime](frozen, x)


def compiled(frozen: Frozen, x: np.ndarray) -> Callable[[], np.ndarray]:
    """Return the call of the network as the package compiles it."""
    generator = frozen.generator

    @ms.jit
    def forward(image: Tensor) -> Tensor:
        return generator(image)

    return lambda: forward(Tensor(x)).asnumpy()


def session(frozen: Frozen, x: np.ndarray) -> Callable[[], np.ndarray]:
    """Return the call of its graph in onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))  # MindSpore's number by itself
    graph = onnxruntime.InferenceSession(model_of(frozen).SerializeToString(), options)
    return lambda: graph.run(None, {"input_image": x})[0]


def measured(task: Task, turns: int) -> dict[str, Any]:
    """Return the seconds of every program on a task, and how many times faster onnxruntime is."""
    found = interleaved("infer", task, list(EXPORTED), turns)
    rows: dict[str, Any] = {
        name: {"seconds": round(shown.seconds, 5), "fastest": round(min(shown.times), 5)}
        for name, shown in found.items()
    }
    for mode in ("paper", "eval"):
        ours, theirs = (found[f"{who}_{mode}"].seconds for who in ("ours", "onnxruntime"))
        rows[f"ours over onnxruntime, {mode}"] = round(ours / theirs, 2)
    return rows


def main() -> None:
    """Measure, print, and write it down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exported", description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS, help=f"of each program [{TURNS}]")
    parser.add_argument("--json", type=Path, default=RESULTS)
    words = parser.parse_args()
    results: dict[str, Any] = {
        "command": f"python -m benchmarks.exported --turns {words.turns}",
        "date": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        "machine": [*report.machine(), f"onnxruntime {onnxruntime.__version__}"],
    }
    for task in INFER:
        results[f"{task.size} batch {task.batch}, ngf {task.width}"] = measured(task, words.turns)
    print(json.dumps(results, indent=2))
    words.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
