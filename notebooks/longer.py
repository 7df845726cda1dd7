"""Run notebooks with a few lines changed, mostly to train longer, and keep the picture they make.

`python notebooks/longer.py` does so for all notebooks in `CHANGES`, or for those named, and writes
`longer/NAME.jpeg`, which the notebook shows beside what it trains in a minute.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from regenerate import pictures

FOLDER = Path(__file__).parent
CELLS = {"10_cyclegan": "cell-21"}  # the cell whose last picture is kept
CHANGES = {  # each old text stands in one cell only
    "10_cyclegan": {
        "STEPS = 240": "STEPS = 1500",
        "RATE = 2e-3": "RATE = 7e-4",
        """for losses, row in learn(weight=10.0):
    live.update(watch(losses, row))""": """rows = []
for settings in ((10.0,), (0.1,), (10.0, 0.5)):
    for losses, row in learn(*settings):
        pass  # to the end
    rows.append(row)
names = ["λ = 10", "λ = 0.1", "λ = 10, identity"]
display(in_colour(image_grid(rows, TITLES, 1.8, names)))""",
    },
}


def changed(name: str) -> nbformat.NotebookNode:
    """Return a notebook's code with its lines changed."""
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for old, new in CHANGES[name].items():
        (cell,) = (cell for cell in notebook.cells if old in cell.source)
        cell.source = cell.source.replace(old, new)
    return notebook


def record(name: str) -> None:
    """Train, and write the picture."""
    notebook = changed(name)
    with TemporaryDirectory() as folder:  # a notebook writes to ../runs
        (place := Path(folder) / "notebooks").mkdir()
        resources = {"metadata": {"path": str(place)}}
        NotebookClient(notebook, timeout=None, resources=resources).execute()
    (cell,) = (cell for cell in notebook.cells if cell.id == CELLS[name])
    kind, picture = pictures(cell)[-1]
    (FOLDER / "longer" / f"{name}.{kind}").write_bytes(picture)


if __name__ == "__main__":
    for each in sys.argv[1:] or CHANGES:
        record(each)
