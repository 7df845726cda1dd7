"""Train notebook 10's networks longer, in three ways, and keep the picture of what they make.

`python notebooks/longer.py` runs the notebook with a few lines changed, and writes
`longer/10_cyclegan.jpeg`, which the notebook shows beside what it trains in a minute.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from regenerate import pictures

FOLDER = Path(__file__).parent
NOTEBOOK, CELL = "10_cyclegan", "cell-21"  # the cell whose last picture is kept
THREE = """rows, names = [], ["λ = 10", "λ = 0.1", "λ = 10, identity"]
for settings in ((10.0,), (0.1,), (10.0, 0.5)):
    for losses, row in learn(*settings):
        pass  # to the end
    rows.append(row)
display(in_colour(image_grid(rows, TITLES, 1.8, names)))"""
CHANGES = {  # each old text stands in one cell only
    "STEPS = 240": "STEPS = 1500",
    "RATE = 2e-3": "RATE = 7e-4",
    """for losses, row in learn(weight=10.0):
    live.update(watch(losses, row))""": THREE,
}


def changed() -> nbformat.NotebookNode:
    """Return the notebook's code with its training made longer."""
    notebook = nbformat.read(FOLDER / f"{NOTEBOOK}.ipynb", as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for old, new in CHANGES.items():
        (cell,) = (cell for cell in notebook.cells if old in cell.source)
        cell.source = cell.source.replace(old, new)
    return notebook


def main() -> None:
    """Train, and write the picture."""
    notebook = changed()
    with TemporaryDirectory() as folder:  # a notebook writes to ../runs
        (place := Path(folder) / "notebooks").mkdir()
        resources = {"metadata": {"path": str(place)}}
        NotebookClient(notebook, timeout=None, resources=resources).execute()
    (cell,) = (cell for cell in notebook.cells if cell.id == CELL)
    kind, picture = pictures(cell)[-1]
    (FOLDER / "longer" / f"{NOTEBOOK}.{kind}").write_bytes(picture)


if __name__ == "__main__":
    main()
