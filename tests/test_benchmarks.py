"""The benchmark's arithmetic: what a step must compute, and which promise is called kept."""

import json
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor, nn

from benchmarks import distributed, limit, report
from benchmarks.__main__ import Measured, limit_of_a_step
from benchmarks.child import ALL, ENVIRONMENT
from benchmarks.task import Task
from pix2pix_ms.config.models import preset
from pix2pix_ms.pix2pix.nets.patchgan import PatchGAN
from pix2pix_ms.pix2pix.nets.unet import UNet
from pix2pix_ms.training.checkpoints import SHIPPED

HERE = distributed.RESULT.parent
TASK = Task(size=256, batch=1, width=4)


def places(conv: nn.Cell, image: Tensor, shapes: list[tuple[int, int]]) -> None:
    """Note a convolution's weights and on how many places it lays its kernel."""
    transposed = isinstance(conv, nn.Conv2dTranspose)
    side = image.shape[-1] if transposed else conv(image).shape[-1]
    shapes.append((conv.weight.size, side**2))


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_the_limit_counts_what_the_networks_hold(network: str) -> None:
    """The layers counted on paper have the weights of the networks as built."""
    config = preset("paper", ngf=TASK.width, ndf=TASK.width)
    built = UNet(config) if network == "generator" else PatchGAN(config)
    convs = [c for _, c in built.cells_and_names() if isinstance(c, nn.Conv2d | nn.Conv2dTranspose)]
    layers = getattr(limit, f"{network}_layers")(TASK)
    counted = [limit.KERNEL * before * after for before, after, _ in layers]
    assert counted == [conv.weight.size for conv in convs]
    seen: list[tuple[int, int]] = []
    for conv, (before, _, positions) in zip(convs, layers, strict=True):
        side = int(positions**0.5)
        if not isinstance(conv, nn.Conv2dTranspose):
            stride = conv.stride[-1]
            side = side * stride + (0 if stride == 2 else 1)
        places(conv, Tensor(np.zeros((1, before, side, side), np.float32)), seen)
    assert [count for _, count in seen] == [positions for _, _, positions in layers]


def test_the_paper_size_of_a_step() -> None:
    paper = Task(256, 1, 64)
    assert limit.parameters(paper) / 1e6 == pytest.approx(57.17, abs=0.01)
    assert limit.products(limit.generator_layers(paper)) / 1e9 == pytest.approx(6.05, abs=0.01)
    assert limit.step_products(Task(256, 4, 64)) == 4 * limit.step_products(paper)
    slow, fast = limit.seconds(paper, 100, 10), limit.seconds(paper, 200, 20)
    assert slow == pytest.approx(2 * fast)


def numbers(ours: float) -> dict[str, Any]:
    def shown(seconds: float) -> dict[str, float]:
        return {
            "seconds": seconds,
            "fastest": seconds,
            "build": 1.0,
            "first": 5.0,
            "peak_megabytes": 1000.0,
        }

    programs = {"ours": shown(ours), "torch_eager": shown(1.0), "torch_best": shown(0.8)}
    work = {"256 batch 1": programs, "256 batch 4": programs, "128 batch 1": programs}
    return {
        "train": work, "infer": work, "imports": {"mindspore": 2.0, "pix2pix_ms": 0.1},
        "pairs_per_second": 50.0, "product_gflops": 300.0, "copy_gigabytes": 20.0,
        "product_gflops_fastest": 350.0, "limit_seconds": 0.4, "limit_seconds_fastest": 0.35,
        "turns": 2, "date": "today", "machine": ["a processor", "2 cores"],
    }  # fmt: skip


def test_a_promise_is_called_met_only_when_it_is() -> None:
    measured = numbers(ours=0.85)
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


def test_a_peer_that_did_not_run_has_no_ratio() -> None:
    measured = numbers(ours=0.85)
    for work in ("train", "infer"):
        for shown in measured[work].values():
            shown.pop("torch_eager", None)
    found = report.ratios(measured)
    assert "train_step_vs_torch_eager" not in found
    assert "not run" in report.table(measured | found)


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
    recorded = json.loads(distributed.RESULT.read_text())
    assert recorded["on_paper"] == distributed.on_paper()
    assert distributed.table(recorded["on_paper"]) in (HERE / "README.md").read_text()
    assert recorded["bytes"] == pytest.approx(57.17e6 * 4, rel=1e-3)


def test_the_tables_of_ranks_and_export_are_what_was_recorded() -> None:
    """benchmarks/README.md, held to distributed.json and exported.json."""
    said = (HERE / "README.md").read_text().splitlines()
    ranks, exported = (
        json.loads((HERE / f"{name}.json").read_text()) for name in ("distributed", "exported")
    )
    for r in ranks["measured"]:
        rates = f"{r['steps_per_second']:.2f} | {r['images_per_second']:.2f}"
        assert f"| {r['size']}, {r['width']} | {r['workers']} | {rates} |" in said
    images = {(r["size"], r["workers"]): r["images_per_second"] for r in ranks["measured"]}
    assert all(images[size, 2] < images[size, 1] for size, _ in images)  # "cost more than"
    measured = {name: row for name, row in exported.items() if isinstance(row, dict)}
    assert len(measured) == 2
    for name, row in measured.items():
        for mode in ("paper", "eval"):
            ours, theirs = (row[f"{p}_{mode}"]["seconds"] for p in ("ours", "onnxruntime"))
            assert f"| {name} | {mode} | {ours:.4f} | {theirs:.4f} |" in said


def test_what_is_said_of_the_familys_trainings_is_what_was_recorded() -> None:
    """benchmarks/README.md and the card of stargan-32, held to the files the commands wrote."""
    said = " ".join((HERE / "README.md").read_text().split())
    cyclegan, stargan = (
        json.loads((HERE / f"{name}.json").read_text()) for name in ("cyclegan", "stargan")
    )
    ours, theirs = (
        [cyclegan[model][way] for way in ("AtoB", "BtoA")] for model in ("cyclegan", "pix2pix")
    )

    def both(rows: list[dict[str, float]], name: str) -> str:
        return " and ".join(f"{row[name]:.3f}" for row in rows)

    assert f"{cyclegan['size']}x{cyclegan['size']}, {cyclegan['epochs']} epochs, " in said
    assert f"L1 {both(ours, 'l1')} (photo to labels, labels to photo), SSIM about 0" in said
    assert all(abs(row["ssim"]) < 0.1 for row in ours)
    assert f"{both(ours, 'pixel_accuracy')} of the pixels right" in said
    assert f"L1 {both(theirs, 'l1')} and {both(theirs, 'pixel_accuracy')}." in said

    with_loss, without = stargan["runs"].values()
    kinds = ("latent", "reference")
    reached, plain = ([run[k]["accuracy"] for k in kinds] for run in (with_loss, without))
    apart, less = ([run[k]["diversity"] for k in kinds] for run in (with_loss, without))
    assert f"{stargan['size']}x{stargan['size']}, {stargan['steps']} steps each" in said
    assert stargan["accuracy on real photos"] == 1  # "that knows all real held-out photos"
    assert f"takes {reached[0]:.2f} of the translations by noise and {reached[1]:.2f}" in said
    assert f"(without the diversity loss {plain[0]:.2f} and {plain[1]:.2f})" in said
    assert f"differ by {apart[0]:.3f} and {apart[1]:.3f} (without {less[0]:.3f} and" in said
    assert f" {less[1]:.3f}). One seed each." in said
    card = " ".join((SHIPPED / "README.md").read_text().split())
    percents = f"{100 * reached[0]:.0f} % (noise) and {100 * reached[1]:.0f} % (references)"
    assert f"takes {percents} of its translations" in card
    assert f"{stargan['epochs']} epochs ({stargan['steps']} steps), " in card
