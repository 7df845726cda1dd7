"""The benchmark's arithmetic: what a step must compute, and which promise is called kept."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor, nn

from benchmarks import distributed, limit, recorded, report
from benchmarks.__main__ import Measured, limit_of_a_step
from benchmarks.child import ALL, ENVIRONMENT
from benchmarks.task import Task
from pix2pix_ms.config.models import preset
from pix2pix_ms.pix2pix.nets.patchgan import PatchGAN
from pix2pix_ms.pix2pix.nets.unet import UNet
from pix2pix_ms.training.checkpoints import SHIPPED

README = (recorded.HERE / "README.md").read_text()
TASK = Task(size=64, batch=1, width=4)


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_the_limit_counts_what_the_networks_compute(network: str) -> None:
    """The layers counted on paper have the weights of those built, and as many positions."""
    config = preset("paper", size=TASK.size, ngf=TASK.width, ndf=TASK.width)
    built = UNet(config) if network == "generator" else PatchGAN(config)
    seen: list[tuple[int, int]] = []

    def noted(conv: nn.Cell, construct: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        y = construct(x)
        side = (x if isinstance(conv, nn.Conv2dTranspose) else y).shape[-1]
        seen.append((conv.weight.size, side**2))
        return y

    for _, cell in built.cells_and_names():
        if isinstance(cell, nn.Conv2d | nn.Conv2dTranspose):
            cell.construct = partial(noted, cell, cell.construct)
    image = Tensor(np.zeros((1, 3, TASK.size, TASK.size), np.float32))
    built(*[image] * (1 if network == "generator" else 2))
    layers = getattr(limit, f"{network}_layers")(TASK)
    assert seen == [(limit.KERNEL * before * after, places) for before, after, places in layers]


def test_the_paper_size_of_a_step() -> None:
    paper = Task(256, 1, 64)
    assert limit.parameters(paper) / 1e6 == pytest.approx(57.17, abs=0.01)
    assert limit.products(limit.generator_layers(paper)) / 1e9 == pytest.approx(6.05, abs=0.01)
    assert limit.step_products(Task(256, 4, 64)) == 4 * limit.step_products(paper)
    slow, fast = limit.seconds(paper, 100, 10), limit.seconds(paper, 200, 20)
    assert slow == pytest.approx(2 * fast)


def numbers(**seconds: float) -> dict[str, Any]:
    """What a run of the benchmark measures, all tasks alike, of the programs named."""
    programs = {
        name: {
            "seconds": each, "fastest": each, "build": 1.0, "first": 5.0, "peak_megabytes": 1000.0,
        }
        for name, each in seconds.items()
    }  # fmt: skip
    work = {"256 batch 1": programs, "256 batch 4": programs, "128 batch 1": programs}
    return {
        "train": work, "infer": work, "imports": {"mindspore": 2.0, "pix2pix_ms": 0.1},
        "pairs_per_second": 50.0, "product_gflops": 300.0, "copy_gigabytes": 20.0,
        "product_gflops_fastest": 350.0, "limit_seconds": 0.4, "limit_seconds_fastest": 0.35,
        "turns": 2, "date": "today", "machine": ["a processor", "2 cores"],
    }  # fmt: skip


def test_a_promise_is_called_met_only_when_it_is() -> None:
    measured = numbers(ours=0.85, torch_eager=1.0, torch_best=0.8)
    measured |= report.ratios(measured)
    assert measured["train_step_vs_torch_eager"] == pytest.approx(0.85)
    assert measured["pipeline_vs_step"] == pytest.approx(42.5)
    lines = report.table(measured).splitlines()
    verdicts = {line.split("|")[1].strip(): line for line in lines if line.count("|") == 5}
    assert verdicts["train_step_vs_torch_eager"].endswith("| met |")
    assert "**not met**" in verdicts["train_step_vs_torch_best"]
    assert "**not met**" in verdicts["train_step_vs_limit"]
    assert "not run" in verdicts["train_step_vs_tutorial_graph"]
    assert any(line.startswith("| train_step_batch_4_vs_torch_best |") for line in lines)
    alone = numbers(ours=0.85)
    assert "train_step_vs_torch_eager" not in report.ratios(alone)
    assert "not run" in report.table(alone | report.ratios(alone))


def test_the_limit_is_of_the_better_library_in_the_same_minutes() -> None:
    slow, fast = Measured(0, 0, [0.2, 0.1, 0.3]), Measured(0, 0, [0.1, 0.05, 0.2])
    copies = Measured(0, 0, [0.02, 0.01, 0.03])
    found = limit_of_a_step({"copy": copies, "product_mindspore": slow, "product_torch": fast})
    alone = limit_of_a_step({"product_mindspore": fast, "copy": copies})  # without PyTorch
    assert alone == found
    assert found["product_gflops"] == pytest.approx(2 * limit.SIDE**3 / 0.1 / 1e9)
    assert found["product_gflops_fastest"] == pytest.approx(2 * found["product_gflops"])
    assert found["limit_seconds"] > found["limit_seconds_fastest"]


def test_every_special_environment_has_its_program() -> None:
    assert set(ENVIRONMENT) <= set(ALL)


def test_the_cost_of_summing_gradients_is_that_of_a_ring() -> None:
    link = distributed.Link("1 GB/s", 1.0, 0.5, "server")
    assert distributed.ring_seconds(8e9, 2, link) == pytest.approx(2 * (4 + 0.5))
    assert distributed.ring_seconds(8e9, 64, link) == pytest.approx(126 * (1 / 8 + 0.5))
    found = json.loads(distributed.RESULT.read_text())
    assert found["on_paper"] == distributed.on_paper()
    assert distributed.table(found["on_paper"]) in README
    assert found["bytes"] == pytest.approx(57.17e6 * 4, rel=1e-3)


def test_the_tables_are_those_of_the_recorded_numbers() -> None:
    """Of README.md, and what the card of stargan-64 says."""
    assert [table for table in recorded.tables() if table not in README] == []
    run = recorded.read("stargan")["runs"]["64x64"]
    noise, reference = (100 * run["made"][guide]["accuracy"] for guide in ("latent", "reference"))
    card = " ".join((SHIPPED / "README.md").read_text().split())
    for guide, name in (("latent", "noise"), ("reference", "references")):
        kids = " | ".join(f"{kid:.0f}" for kid in run["made"][guide]["kid"].values())
        assert f"| {name} | {kids} |" in card
    assert f"takes {noise:.0f} % (noise) and {reference:.0f} % (references) of its" in card
    assert f"{run['epochs']} epochs ({run['steps']} steps), " in card
    assert f"{run['minutes']:.0f} minutes of two cores" in card
