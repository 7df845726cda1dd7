"""Run a notebook's own training longer, and keep the picture of its end.

`python notebooks/longer.py 10_cyclegan` runs that notebook with a few lines changed. It writes
the picture that the notebook shows beside what it trains in a minute to `longer/10_cyclegan.jpeg`.
Without names it does so for all of `RUNS`.
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
    """What to change in a notebook, and the cell whose last picture to keep."""

    notebook: str
    cell: str
    changes: dict[str, str]  # each old text stands in one cell only


THREE = """rows, names = [], ["λ = 10", "λ = 0.1", "λ = 10, identity"]
for settings in ((10.0,), (0.1,), (10.0, 0.5)):
    for losses, row in learn(*settings):
        pass  # to the end
    rows.append(row)
display(in_colour(image_grid(rows, TITLES, 1.8, names)))"""
RUNS = {
    "10_cyclegan": Longer(
        "10_cyclegan",
        "cell-21",
        {
            "STEPS = 240": "STEPS = 1500",
            "RATE = 2e-3": "RATE = 7e-4",
            """for losses, row in learn(weight=10.0):
    live.update(watch(losses, row))""": THREE,
        },
    ),
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
        notebook = changed(RUNS[name])
        with TemporaryDirectory() as folder:  # a notebook writes to ../runs
            (place := Path(folder) / "notebooks").mkdir()
            resources = {"metadata": {"path": str(place)}}
            NotebookClient(notebook, timeout=None, resources=resources).execute()
        (cell,) = (cell for cell in notebook.cells if cell.id == RUNS[name].cell)
        kind, picture = pictures(cell)[-1]
        (FOLDER / "longer" / f"{name}.{kind}").write_bytes(picture)


if __name__ == "__main__":
    main()
