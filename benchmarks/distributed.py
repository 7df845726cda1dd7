"""Training on more than one device: `python -m benchmarks.distributed` writes distributed.json.

Measured: steps per second of one process and of two workers of msrun on this machine's CPU, one
core and one thread each. On paper: how long the gradients of the paper's networks take round a ring
of devices, over the links that servers have.
"""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks import limit
from benchmarks.task import Task

RESULT = Path(__file__).with_suffix(".json")
PAPER = Task(256, 1, 64)
TASKS = (Task(64, 1, 16), Task(128, 1, 32))  # near the presets quick and cpu; a batch of each
TURNS = 3  # of one process and two workers, alternately
CALLS = 15
FLOAT = 4  # bytes
# A step's 43.4 billion multiplications and as many additions, at a rate that is assumed: half the
# 19.5 TFLOP/s of float32 of an A100.
ASSUMED_RATE = 0.5 * 19.5e12


@dataclass(frozen=True)
class Link:
    """What a device sends over, in one direction, and what a message costs beside its bytes."""

    name: str
    gigabytes: float  # per second
    latency: float  # seconds a message; assumed: 5 us within a server, 10 us between servers
    spans: str  # "server" or "servers"


LINKS = (
    Link("HCCS, one of an Ascend 910's three ports of 240 Gb/s", 30.0, 5e-6, "server"),
    Link("PCIe 4.0 x16, 16 GT/s a lane", 16 * 16 * 128 / 130 / 8, 5e-6, "server"),
    Link("NVLink, A100: 600 GB/s in both directions", 300.0, 5e-6, "server"),
    Link("NVLink, H100: 900 GB/s in both directions", 450.0, 5e-6, "server"),
    Link("RoCE, 100 Gb/s a device", 12.5, 10e-6, "servers"),
    Link("RoCE, 200 Gb/s a device", 25.0, 10e-6, "servers"),
    Link("InfiniBand HDR, 200 Gb/s a device", 25.0, 10e-6, "servers"),
    Link("InfiniBand NDR, 400 Gb/s a device", 50.0, 10e-6, "servers"),
)


def ring_seconds(size: float, devices: int, link: Link) -> float:
    """Return how long a ring takes to sum `size` bytes of every device and hand the sum to all.

    Each device sends a share of 1/n to its neighbour 2 (n - 1) times.
    """
    messages = 2 * (devices - 1)
    return messages * (size / devices / (link.gigabytes * 1e9) + link.latency)


def on_paper() -> list[dict[str, object]]:
    """Return the cost of a step's sums on every link, of 8 devices and, between servers, of 64."""
    size = limit.parameters(PAPER) * FLOAT
    step = 2 * limit.step_products(PAPER) / ASSUMED_RATE
    return [
        {
            "link": link.name,
            "devices": devices,
            "milliseconds": round(seconds * 1e3, 2),
            "share_of_step": round(seconds / step, 2),
        }
        for link in LINKS
        for devices in (8, 64)
        if devices == 8 or link.spans == "servers"
        for seconds in [ring_seconds(size, devices, link)]
    ]


def table(rows: list[dict[str, object]]) -> str:
    """Return the rows as a table of Markdown."""
    names = "| link (one direction) | devices | ms a step | of a step's computing |\n"
    return f"{names}| --- | --- | --- | --- |\n" + "".join(
        f"| {row['link']} | {row['devices']} "
        f"| {row['milliseconds']:.1f} | {row['share_of_step']:.2f} |\n"
        for row in rows
    )


def work(*numbers: str) -> None:
    """Time steps as one process or one rank; the first prints the median second a step."""
    launched_by_msrun = "MS_ROLE" in os.environ
    core = int(os.environ.get("RANK_ID", "0")) % (os.cpu_count() or 1)
    os.sched_setaffinity(0, {core})
    from dataclasses import replace

    from benchmarks.ours import config_of
    from pix2pix_ms import Pix2Pix
    from pix2pix_ms.machine.device import choose_device
    from pix2pix_ms.machine.ranks import is_first, join, launched

    task = Task(*map(int, numbers))
    ranks = launched() if launched_by_msrun else 1
    choose_device("CPU")
    if launched_by_msrun:
        join()
    model = Pix2Pix(replace(config_of(task), ranks=ranks))
    x, y = task.images()
    times = []
    for _ in range(CALLS + 3):  # the first compiles
        began = time.perf_counter()
        model.train_step(x, y)
        times.append(time.perf_counter() - began)
    if is_first():
        print(json.dumps({"seconds": median(times[3:])}), flush=True)


def step_seconds(task: Task, workers: int, folder: Path) -> float:
    """Return the median seconds of a step of one process, or of each of some workers."""
    words = [
        "python",
        "-m",
        "benchmarks.distributed",
        str(task.size),
        str(task.batch),
        str(task.width),
    ]
    if workers > 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        numbers = (f"--worker_num={workers}", f"--local_worker_num={workers}")
        places = (f"--master_port={port}", f"--log_dir={folder}", "--join=True")
        words = ["msrun", *numbers, *places, *words]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PATH": path}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    log = folder / "worker_0.log"
    text = log.read_text() if workers > 1 else done.stdout
    (line,) = [line for line in text.splitlines() if line.startswith('{"seconds"')]
    return float(json.loads(line)["seconds"])


def measured(folder: Path) -> list[dict[str, object]]:
    """Return steps and images per second of one process and two workers, which take turns."""
    rows: list[dict[str, object]] = []
    for task in TASKS:
        times: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(TURNS):
            for workers, found in times.items():
                found.append(step_seconds(task, workers, folder))
        rows += [
            {
                **asdict(task),
                "parameters": limit.parameters(task),
                "workers": workers,
                "steps_per_second": round(1 / median(found), 3),
                "images_per_second": round(workers * task.batch / median(found), 3),
            }
            for workers, found in times.items()
        ]
    return rows


def main() -> None:
    """Measure, reckon, and write both down."""
    import tempfile

    from mindspore import __version__ as mindspore

    with tempfile.TemporaryDirectory() as folder:
        rows = measured(Path(folder))
    for row in rows:
        print(row)
    result = {
        "mindspore": mindspore,
        "cores": os.cpu_count(),
        "bytes": limit.parameters(PAPER) * FLOAT,
        "measured": rows,
        "on_paper": on_paper(),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(table(on_paper()))


if __name__ == "__main__":
    work(*sys.argv[1:]) if sys.argv[1:] else main()
