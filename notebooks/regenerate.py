"""Run every notebook from top to bottom and store its outputs in place.

`make regenerate` runs this; `make notebooks-test` then re-executes the notebooks and compares.
Name notebooks as arguments to run only these. The picture of the cell whose metadata has `card`
goes to `cards/`, for the index: whole, or the part that `card` names, [left, top, right, bottom].
"""

import os
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path

# A notebook must show a reader what it shows CI: no progress bars, no colours.
os.environ.setdefault("TQDM_DISABLE", "1")

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parent
KINDS = ("jpeg", "png")  # of pictures
LARGEST = 1_500_000  # bytes: what a reader on a slow line, and a diff, can bear


def regenerate(path: Path) -> None:
    """Execute one notebook and write it back with its outputs; each cell keeps its id."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    place = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=300, resources=place).execute()
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
    refuse_noise(path, notebook)
    shown = cards(notebook)
    nbformat.write(notebook, path)
    for kind, picture in shown:
        (FOLDER / "cards" / f"{path.stem}.{kind}").write_bytes(picture)
    if path.stat().st_size > LARGEST:
        raise SystemExit(f"{path}: expected at most {LARGEST} bytes, found {path.stat().st_size}")


def pictures(cell: nbformat.NotebookNode) -> list[tuple[str, bytes]]:
    """Return a cell's pictures, each with its kind."""
    shown = [(k, output.get("data", {})) for output in cell.outputs for k in KINDS]
    return [(k, b64decode(data[f"image/{k}"])) for k, data in shown if f"image/{k}" in data]


def cards(notebook: nbformat.NotebookNode) -> list[tuple[str, bytes]]:
    """Return the last picture of every cell marked as a notebook's card, and its kind."""
    found = []
    for cell in (cell for cell in notebook.cells if cell.metadata.get("card")):
        if not (shown := pictures(cell)):
            raise SystemExit(f"{cell.id}: expected a picture for the index, found none")
        (kind, picture), part = shown[-1], cell.metadata["card"]
        found.append((kind, picture if part is True else cut(picture, kind, part)))
    return found


def cut(picture: bytes, kind: str, part: list[int]) -> bytes:
    """Return part of a picture: what can be read at a card's size."""
    Image.open(BytesIO(picture)).crop(part).save(kept := BytesIO(), kind, quality=90)
    return kept.getvalue()


def joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Join prints that follow each other: whether they arrived as one is chance."""
    kept: list[nbformat.NotebookNode] = []
    for output in outputs:
        before = kept[-1] if kept else {}
        if output.output_type == "stream" and output.name == before.get("name"):
            before["text"] += output.text
        else:
            kept.append(output)
    return kept


def refuse_noise(path: Path, notebook: nbformat.NotebookNode) -> None:
    """Stop where a cell wrote to stderr: nbval would compare it, and it never repeats."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise SystemExit(f"{path}: {cell.id} wrote to stderr: {output['text'][:300]}")


def main() -> None:
    """Regenerate the notebooks named, or all."""
    for path in [Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
        print(path.name, flush=True)
        regenerate(path)


if __name__ == "__main__":
    main()
