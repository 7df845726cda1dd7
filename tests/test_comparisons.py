"""The comparisons' commands are the package's, and their table says what was measured."""

import json
from pathlib import Path
from typing import Any

import click
import pytest

from benchmarks import comparisons
from pix2pix_ms.cli import command


def scored(value: float) -> dict[str, Any]:
    def both(*names: str) -> dict[str, dict[str, float]]:
        return {name: {"generated": value, "target": 0.75} for name in names}

    return both("l1", "psnr", "ssim") | {
        "histogram_intersection": both("L", "a", "b"),
        "segmentation": both("pixel_accuracy", "class_accuracy", "class_iou"),
    }


@pytest.mark.parametrize("name", comparisons.ROWS)
def test_a_row_is_made_by_commands_that_exist(name: str, tmp_path: Path) -> None:
    for words in comparisons.commands(name, tmp_path, tmp_path / "segmenter.ckpt", tmp_path / "r"):
        told = command.commands[words[0]].make_context(words[0], words[1:])
        assert isinstance(told, click.Context)


def test_rows_have_folders_of_their_own() -> None:
    assert len({comparisons.folder_name(name) for name in comparisons.ROWS}) == len(
        comparisons.ROWS
    )


def test_the_table_says_what_was_measured(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text(json.dumps(scored(0.5)))
    (tmp_path / "log.csv").write_text("epoch,seconds\n0,0.0\n1,60.0\n2,30.0\n")
    found = {"L1": comparisons.measured("L1", tmp_path)}
    assert found["L1"]["epochs"] == 2
    page = comparisons.table(found)
    assert "| L1 | 0.500 | 0.50 | 0.500 | 0.500 / 0.500 / 0.500 |" in page
    assert "| 0.42 / 0.15 / 0.11 | 1.5 |" in page
    assert "Real photos score 0.750 / 0.750 / 0.750." in page
    other = {"photo to labels, L1": found["L1"]}
    assert "Real photos" not in comparisons.table(other)
