"""Run a notebook's own training ten times longer, and keep the picture of its end.

`python notebooks/longer.py 03_training` runs that notebook with one number changed and writes
`longer/03_training.jpg`, which the notebook shows beside what it trains in a minute. Without names
it does so for all of `RUNS`.
"""

import sys
from base64 import b64decode
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent


class Longer(NamedTuple):
    """What to change in a notebook, and which of its pictures to keep."""

    old: str  # stands in one cell only
    new: str
    pictures: dict[str, tuple[str, int]]  # by file name: a cell's id, and which of its pictures


RUNS = {
    "03_training": Longer("epochs=6,", "epochs=60,", {"03_training": ("strip", 0)}),
    "10_cyclegan": Longer(
        "STEPS = 240",
        "STEPS = 2400",
        {"10_cyclegan": ("cell-21", 0), "10_cyclegan_cut": ("twins", 0)},
    ),
    "11_stargan": Longer("= 50,", "= 500,", {"11_stargan": ("cell-25", 1)}),
}


def changed(name: str) -> nbformat.NotebookNode:
    """Return a notebook's code with its training made longer."""
    run, notebook = RUNS[name], nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    (cell,) = (cell for cell in notebook.cells if run.old in cell.source)
    cell.source = cell.source.replace(run.old, run.new)
    return notebook


def main() -> None:
    """Run the notebooks named, or all, and write their pictures."""
    for name in sys.argv[1:] or RUNS:
        notebook = changed(name)
        with TemporaryDirectory() as folder:  # a notebook writes to ../runs
            (place := Path(folder) / "notebooks").mkdir()
            resources = {"metadata": {"path": str(place)}}
            NotebookClient(notebook, timeout=None, resources=resources).execute()
        outputs = {cell.id: cell.outputs for cell in notebook.cells}
        for file, (cell, number) in RUNS[name].pictures.items():
            shown = [output.get("data", {}) for output in outputs[cell]]
            pictures = [data["image/jpeg"] for data in shown if "image/jpeg" in data]
            (FOLDER / "longer" / f"{file}.jpg").write_bytes(b64decode(pictures[number]))


if __name__ == "__main__":
    main()
