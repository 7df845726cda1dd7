"""The ratios that are promised, and the table that shows them."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

PAPER = "256 batch 1"
# Each ratio: its target, and which way it must lie.
TARGETS: dict[str, tuple[str, float]] = {
    "train_step_vs_torch_eager": ("<=", 0.90),
    "train_step_vs_torch_best": ("<=", 1.00),
    "train_step_vs_tutorial_pynative": ("<=", 0.45),
    "train_step_vs_tutorial_graph": ("<=", 0.85),
    "train_step_vs_limit": ("<=", 1.25),
    "inference_vs_torch_eager": ("<=", 1.0),
    "inference_128_vs_torch_eager": ("<=", 1.0),
    "pipeline_vs_step": (">=", 20),
    "memory_vs_torch_eager": ("<=", 1.0),
    "first_step_seconds": ("<=", 8.0),
    "guard_on_2_10": (">=", 100),
}


def ratios(numbers: dict[str, Any]) -> dict[str, float]:
    """Return all ratios, promised or not; a peer that did not run has none."""
    train, infer = numbers["train"], numbers["infer"]
    ours = train[PAPER]["ours"]
    found = against_peers("train_step", train[PAPER], "seconds")
    found |= against_peers("train_step_batch_4", train["256 batch 4"], "seconds")
    found |= against_peers("train_step_128", train["128 batch 1"], "seconds")
    found |= against_peers("inference", infer[PAPER], "seconds")
    found |= against_peers("inference_128", infer["128 batch 1"], "seconds")
    found |= against_peers("memory", train[PAPER], "peak_megabytes")
    found["train_step_vs_limit"] = ours["seconds"] / numbers["limit_seconds"]
    found["fastest_step_vs_fastest_limit"] = ours["fastest"] / numbers["limit_seconds_fastest"]
    found["pipeline_vs_step"] = numbers["pairs_per_second"] * ours["seconds"]
    found["first_step_seconds"] = ours["first"]
    found["import_vs_mindspore"] = (
        numbers["imports"]["pix2pix_ms"] / numbers["imports"]["mindspore"]
    )
    return found


def against_peers(name: str, shown: dict[str, Any], what: str) -> dict[str, float]:
    """Return ours over each other program."""
    return {
        f"{name}_vs_{peer}": float(shown["ours"][what] / shown[peer][what])
        for peer in shown
        if peer != "ours"
    }


def machine() -> list[str]:
    """Return the processor, how many cores this process may use, and the versions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")
    wide = "AVX-512" if any("avx512f" in line for line in lines) else "no AVX-512"
    versions = [f"{name} {metadata.version(name)}" for name in ("mindspore", "torch", "numpy")]
    cores = f"{len(os.sched_getaffinity(0))} cores"
    return [name, wide, cores, f"Python {platform.python_version()}", *versions]


def table(numbers: dict[str, Any]) -> str:
    """Return the page `RESULTS.md`."""
    lines = [
        "# Results",
        "",
        f"Made by `python -m benchmarks --turns {numbers['turns']}` on {numbers['date']}: "
        f"{', '.join(numbers['machine'])}.",
        "",
        "| ratio | measured | target | |",
        "| --- | --- | --- | --- |",
        *(promise(name, numbers) for name in TARGETS),
    ]
    for work, title in (("train", "One D+G training step"), ("infer", "One inference")):
        lines += ["", f"## {title}", ""]
        lines += ["| images | program | median s | fastest s | build s | first call s | peak MB |"]
        lines += ["| --- | --- | --- | --- | --- | --- | --- |"]
        for task, programs in numbers[work].items():
            for program, shown in programs.items():
                lines.append(
                    f"| {task} | {program} | {shown['seconds']:.4f} | {shown['fastest']:.4f} "
                    f"| {shown['build']:.1f} | {shown['first']:.1f} "
                    f"| {shown['peak_megabytes']:.0f} |"
                )
    imports = ", ".join(f"{name} {value:.2f} s" for name, value in numbers["imports"].items())
    lines += ["", "## Ratios without a target", "", "| ratio | measured |", "| --- | --- |"]
    lines += [f"| {name} | {numbers[name]:.2f} |" for name in sorted(extra(numbers))]
    lines += [
        "",
        "## The rest",
        "",
        f"- Limit of a step, {PAPER}: {numbers['limit_seconds']:.3f} s (matrix products at "
        f"{numbers['product_gflops']:.0f} GFLOP/s, copies at {numbers['copy_gigabytes']:.1f} GB/s; "
        f"medians). At the fastest product of the run, {numbers['product_gflops_fastest']:.0f} "
        f"GFLOP/s, it would be {numbers['limit_seconds_fastest']:.3f} s.",
        f"- Pipeline, 256x256 with jitter, one worker: {numbers['pairs_per_second']:.0f} pairs/s.",
        f"- Imports: {imports}.",
        "",
    ]
    return "\n".join(lines)


def promise(name: str, numbers: dict[str, Any]) -> str:
    """Return the line of a ratio that has a target."""
    way, target = TARGETS[name]
    if name not in numbers:
        return f"| {name} | not run | {way} {target:g} | |"
    value = numbers[name]
    met = value <= target if way == "<=" else value >= target
    return f"| {name} | {value:.2f} | {way} {target:g} | {'met' if met else '**not met**'} |"


def extra(numbers: dict[str, Any]) -> set[str]:
    """Return the names of the ratios that have no target."""
    return {name for name in numbers if "_vs_" in name} - set(TARGETS)
