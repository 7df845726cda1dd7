"""Build the Chinese edition: the English notebooks' code and outputs, the Chinese text of `text/`.

`python notebooks/zh/build.py` writes every notebook of this folder anew. A text file holds the
notebook's markdown cells, each under a marker with the cell's id and the hash of the English it
translates: `<!-- cell-01 3f2a1b4c9d0e -->`. After translating what has changed,
`python notebooks/zh/build.py --accept 01_data` writes the present hashes.
"""

import hashlib
import re
import sys
from pathlib import Path

import nbformat

FOLDER = Path(__file__).parent
ENGLISH = FOLDER.parent
MARKER = re.compile(r"^<!-- (\S+) ([0-9a-f]{12}|new) -->\n", re.M)
# Links to files beside or above the English notebooks; other notebooks are here too.
RELATIVE = re.compile(r"(\]\(|src=\")(?!https?:|#|[^)\"]*\.ipynb)([^)\"]+)")


def digest(source: str) -> str:
    """Return what identifies the English of a cell."""
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def texts(name: str) -> dict[str, tuple[str, str]]:
    """Return each translated cell's hash of its English, and its Chinese, by the cell's id."""
    parts = MARKER.split((FOLDER / "text" / f"{name}.md").read_text(encoding="utf-8"))[1:]
    cells = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    return {cell: (known, chinese.strip()) for cell, known, chinese in cells}


def english(name: str) -> nbformat.NotebookNode:
    """Read the executed English notebook."""
    return nbformat.read(ENGLISH / f"{name}.ipynb", as_version=4)


def problems(name: str) -> list[str]:
    """Name the cells whose English is new, was changed since it was translated, or is gone."""
    known = texts(name)
    sources = {c.id: c.source for c in english(name).cells if c.cell_type == "markdown"}
    changed = [
        cell for cell in sources if cell in known and digest(sources[cell]) != known[cell][0]
    ]
    kinds = {
        "no translation": sources.keys() - known.keys(),
        "translated, but not in English": known.keys() - sources.keys(),
        "the English has changed since it was translated": changed,
    }
    return [f"{name}: {cell}: {kind}" for kind, cells in kinds.items() for cell in sorted(cells)]


def built(name: str) -> nbformat.NotebookNode:
    """Return the English notebook with its markdown replaced."""
    notebook, chinese = english(name), texts(name)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = RELATIVE.sub(r"\1../\2", chinese[cell.id][1])
    return notebook


def accept(name: str) -> None:
    """Write the hashes of the present English into the text file."""
    sources = {cell.id: cell.source for cell in english(name).cells}
    path = FOLDER / "text" / f"{name}.md"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        MARKER.sub(lambda m: f"<!-- {m[1]} {digest(sources[m[1]])} -->\n", text), encoding="utf-8"
    )


def main() -> None:
    """Build all notebooks, or accept the translations of those named."""
    if sys.argv[1:2] == ["--accept"]:
        for name in sys.argv[2:]:
            accept(name)
    names = [path.stem for path in sorted(ENGLISH.glob("*.ipynb"))]
    if found := [problem for name in names for problem in problems(name)]:
        raise SystemExit("\n".join(found))
    for name in names:
        nbformat.write(built(name), FOLDER / f"{name}.ipynb")


if __name__ == "__main__":
    main()
