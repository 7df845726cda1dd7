"""The tables of README.md, from what other commands recorded: `python -m benchmarks.recorded`."""

import json
from pathlib import Path
from typing import Any

from benchmarks.comparison_page import table

HERE = Path(__file__).parent


def read(name: str) -> dict[str, Any]:
    """Return what was recorded under a name."""
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())
    return found


def cyclegan() -> list[str]:
    """Return what CycleGAN reaches on held-out pairs beside pix2pix, in both directions."""
    found = read("cyclegan")
    rows = [
        [model, found["directions"][way]]
        + [f"{found[model][way][name]:.3f}" for name in ("l1", "ssim", "pixel_accuracy")]
        for model in ("cyclegan", "pix2pix")
        for way in found["directions"]
    ]
    return table(["model", "direction", "L1", "SSIM", "pixels right"], rows)


def stargan() -> list[str]:
    """Return how well translations are recognised and how far two styles differ."""
    rows = [
        [name, guide, f"{shown['accuracy']:.2f}", f"{shown['diversity']:.3f}"]
        for name, run in read("stargan")["runs"].items()
        for guide, shown in run["made"].items()
    ]
    return table(["run", "styles from", "recognised", "two styles differ by"], rows)


def ranks() -> list[str]:
    """Return the rates of one process and of two workers."""
    rows = [
        [f"{row['size']}, {row['width']}", str(row["workers"])]
        + [f"{row[name]:.2f}" for name in ("steps_per_second", "images_per_second")]
        for row in read("distributed")["measured"]
    ]
    return table(["images, width", "workers", "steps/s", "images/s"], rows)


def exported() -> list[str]:
    """Return the seconds of an inference of the package and of onnxruntime."""
    rows = [
        [task, mode, *(f"{row[f'{who}_{mode}']['seconds']:.4f}" for who in ("ours", "onnxruntime"))]
        for task, row in read("exported").items()
        if isinstance(row, dict)
        for mode in ("paper", "eval")
    ]
    return table(["images", "statistics", "the package", "onnxruntime"], rows)


def tables() -> list[str]:
    """Return the tables as text."""
    return ["\n".join(made()) for made in (cyclegan, stargan, ranks, exported)]


if __name__ == "__main__":
    print("\n\n".join(tables()))
