"""Run a notebook's own training ten times longer, and keep the picture of its end.

`python notebooks/longer.py 03_training` runs that notebook with a line or two changed and writes
`longer/03_training.jpg`, which the notebook shows beside what it trains in a minute, and what that
cell printed to `longer/03_training.txt`. Without names it does so for all of `RUNS`.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient
from regenerate import pictures

FOLDER = Path(__file__).parent


class Longer(NamedTuple):
    """What to change in a notebook, and which of its pictures to keep."""

    notebook: str
    changes: dict[str, str]  # each old text stands in one cell only
    pictures: dict[str, tuple[str, int]]  # by file name: a cell's id, and which of its pictures


IDENTITY = """    same = distance(F(a), a) + distance(G(b), b)
    return looks + weight * (cycle + same / 2),"""
RUNS = {
    "03_training": Longer(
        "03_training",
        {"epochs=6,": "epochs=60,"},
        {"03_training.jpg": ("strip", 0)},
    ),
    "09_wasserstein": Longer(
        "09_wasserstein",
        {"TURNS, STEPS, LOOKS = 500,": "TURNS, STEPS, LOOKS = 5000,"},
        {"09_wasserstein.png": ("play", 0)},
    ),
    "10_cyclegan": Longer(
        "10_cyclegan", {"STEPS = 240": "STEPS = 2400"}, {"10_cyclegan.jpg": ("cell-21", 0)}
    ),
    "10_cyclegan_identity": Longer(
        "10_cyclegan",
        {
            "STEPS = 240": "STEPS = 2400",
            "    return looks + weight * cycle,": IDENTITY,
        },
        {"10_cyclegan_identity.jpg": ("cell-21", 0)},
    ),
    "11_stargan": Longer("11_stargan", {"= 50,": "= 500,"}, {"11_stargan.jpg": ("cell-25", 1)}),
}


def changed(run: Longer) -> nbformat.NotebookNode:
    """Return a notebook's code with its training made longer."""
    notebook = nbformat.read(FOLDER / f"{run.notebook}.ipynb", as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for old, new in run.changes.items():
        (cell,) = (cell for cell in notebook.cells if old in cell.source)
        cell.source = cell.source.replace(old, new)
    return notebook


def main() -> None:
    """Make the runs named, or all, and write their pictures."""
    for name in sys.argv[1:] or RUNS:
        run = RUNS[name]
        notebook = changed(run)
        with TemporaryDirectory() as folder:  # a notebook writes to ../runs
            (place := Path(folder) / "notebooks").mkdir()
            resources = {"metadata": {"path": str(place)}}
            NotebookClient(notebook, timeout=None, resources=resources).execute()
        cells = {cell.id: cell for cell in notebook.cells}
        for file, (cell, number) in run.pictures.items():
            (FOLDER / "longer" / file).write_bytes(pictures(cells[cell])[number][1])
            if printed := "".join(output.get("text", "") for output in cells[cell].outputs):
                (FOLDER / "longer" / file).with_suffix(".txt").write_text(printed)


if __name__ == "__main__":
    main()
