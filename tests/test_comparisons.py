"""The comparisons' commands exist, and their page says what was measured and what follows."""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from benchmarks import comparison_page, comparisons
from pix2pix_ms.cli.commands import command

PLACES = comparisons.PLACES


def scored(value: float, target: str = "photos") -> dict[str, Any]:
    def both(*names: str) -> dict[str, dict[str, float]]:
        return {name: {"generated": value, "target": 0.75} for name in names}

    return both("l1", "psnr", "ssim") | {
        "checkpoint": "/home/anyone/run",
        "data": "/home/anyone/records",
        "segmenter": "/home/anyone/segmenter.ckpt",
        "target": target,
        "kid": {"generated": 1000 * value, "target": 0.0} if target == "photos" else None,
        "histogram_intersection": both("L", "a", "b"),
        "segmentation": both("pixel_accuracy", "class_accuracy", "class_iou"),
    }


def row(folder: Path, name: str, value: float, target: str = "photos") -> dict[str, Any]:
    (folder / "scores.json").write_text(json.dumps(scored(value, target)))
    head = "epoch,held_out_l1,held_out_psnr,held_out_ssim,seconds\n"
    epochs = "".join(f"{epoch},{value},10,0.5,30.0\n" for epoch in range(1, 7))
    (folder / "log.csv").write_text(head + epochs)
    return comparisons.measured(name, folder)


@pytest.mark.parametrize("name", comparisons.ROWS)
def test_a_row_is_made_by_commands_that_exist(name: str) -> None:
    for _, (module, *words) in [
        *comparisons.preparation(*PLACES),
        *comparisons.training(name, *PLACES),
        comparisons.measurement(name, *PLACES),
    ]:
        if module == "pix2pix_ms":
            told = command.commands[words[0]].make_context(words[0], words[1:])
            assert isinstance(told, click.Context)
        else:
            told = pytest.importorskip(module, reason="PyTorch is not installed")
            assert told.parser().parse_args(words).facades == PLACES[0]


def test_rows_have_folders_of_their_own_and_are_what_is_compared() -> None:
    assert len({comparisons.folder_name(name) for name in comparisons.ROWS}) == len(
        comparisons.ROWS
    )
    named = {*comparisons.PICTURED, *comparison_page.PYTORCH}
    named |= {name for pair in comparison_page.SEEDS for name in pair}
    for published in (*comparison_page.SEGMENTATION, *comparison_page.HISTOGRAMS):
        assert {name for pair in published.pairs for name in pair} <= published.numbers.keys()
        named |= published.numbers.keys()
    assert named <= comparisons.ROWS.keys()


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(comparisons, "call", lambda words: called.append(" ".join(words[:2])))
    run = tmp_path / "pytorch_l1+cgan"
    comparisons.make("PyTorch, L1 + cGAN", Path("FACADES"), tmp_path)
    assert [words.split()[0] for words in called] == ["benchmarks.peer"] + 2 * ["pix2pix_ms"]
    run.mkdir()
    (run / "latest_net_G.pth").touch()
    called.clear()
    comparisons.make("PyTorch, L1 + cGAN", Path("FACADES"), tmp_path)
    assert called == ["pix2pix_ms convert", "pix2pix_ms evaluate"]
    (run / "scores.json").touch()
    called.clear()
    comparisons.make("PyTorch, L1 + cGAN", Path("FACADES"), tmp_path)
    assert called == []


def test_a_finished_row_is_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without paths of one machine, beside what was recorded; a part of the picture is none."""
    monkeypatch.setattr(comparisons, "HERE", tmp_path)
    (tmp_path / "comparisons.json").write_text(json.dumps({"L1": row(tmp_path, "L1", 0.4)}))
    (tmp_path / "l2+cgan").mkdir()
    found = row(tmp_path / "l2+cgan", "L2 + cGAN", 0.5)
    assert found["epochs"] == 6 and "/home" not in json.dumps(found)
    comparisons.write(tmp_path)
    page = (tmp_path / "COMPARISONS.md").read_text()
    assert "| L2 + cGAN | 0.500 | 0.50 | 0.500 | 0.500 / 0.500 / 0.500 | 500 |" in page
    assert "| L1 | 0.400 | 0.40 | 0.400 |" in page
    assert "| 3.0 |" in page, "minutes"
    assert "Real photos score 0.750 / 0.750 / 0.750." in page
    assert not (tmp_path / "comparisons.jpg").exists()
    labels = {"photo to labels, L1": row(tmp_path, "photo to labels, L1", 0.5, "labels")}
    assert "Real photos" not in comparison_page.page(labels, [])
    found["scores"].pop("kid")
    page = comparison_page.page({"L1": row(tmp_path, "L1", 0.4), "L2 + cGAN": found}, [])
    assert "another training of the segmenter: L2 + cGAN." in page


def test_the_page_is_that_of_the_recorded_numbers() -> None:
    found = json.loads((comparisons.HERE / "comparisons.json").read_text())
    commands = comparisons.recorded(comparisons.preparation(*PLACES))
    page = (comparisons.HERE / "COMPARISONS.md").read_text()
    assert page == comparison_page.page(found, commands)
    assert found.keys() == comparisons.ROWS.keys()


def test_the_page_holds_the_order_against_the_papers(tmp_path: Path) -> None:
    values = {"L1 + cGAN": 0.6, "L1": 0.5, "L1, seed 1": 0.55, "cGAN": 0.54, "L1 + GAN": 0.9}
    found = {name: row(tmp_path, name, value) for name, value in values.items()}
    page = comparison_page.page(found, [])
    assert "differ by up to 0.050 / 0.050 / 0.050" in page

    def line_of(pair: str) -> str:
        return next(line for line in page.splitlines() if f"| {pair} | " in line)

    assert "| +0.24 / +0.08 / +0.06 (table 1) |" in line_of("L1 + cGAN over L1")
    assert "agrees / agrees / agrees" in line_of("L1 + cGAN over L1")
    # Of the mean of 0.50 and 0.55.
    assert "+0.015 / +0.015 / +0.015 | within the spread / within" in line_of("cGAN over L1")
    assert "disagrees / disagrees / disagrees" in line_of("L1 + cGAN over L1 + GAN")
    kids = page.split("## KID x 1000")[1]
    assert "differ by up to 50;" in kids
    assert "| L1 + cGAN over L1 | +0.24 (table 1) | -75 | disagrees |" in kids
    assert "| L1 + cGAN over L1 + GAN | +0.02 (table 1) | +300 | agrees |" in kids
    found.pop("L1, seed 1")
    assert "verdict" not in comparison_page.page(found, []), "one seed has no spread"


def test_the_picture_has_a_label_map_and_a_column_for_each_row() -> None:
    figure = comparisons.picture({"L1": np.zeros_like, "field 1, L1 + cGAN": np.ones_like})
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:3] == ["label map", "L1", "field 1"]
    assert len(titles) == 3 * len(comparisons.FACADES)
    assert min(figure.axes[0].get_window_extent().size) >= comparisons.TILE - 1


@pytest.mark.parametrize(("theirs", "place"), [(0.39, "within"), (0.2, "outside")])
def test_ours_is_compared_with_pytorchs(tmp_path: Path, theirs: float, place: str) -> None:
    ours = zip(comparison_page.OURS, (0.40, 0.42), strict=True)
    peers = zip(comparison_page.PYTORCH, (theirs, theirs + 0.01), strict=True)
    found = {name: row(tmp_path, name, value) for name, value in [*ours, *peers]}
    page = comparison_page.page(found, [])
    assert f"{0.41 - theirs - 0.005:+.3f}, {place} the 0.020 that two seeds differ by" in page
