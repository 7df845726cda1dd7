"""What `notebooks/conftest.py` lets pass and what it does not: numbers, pictures, live figures."""

import base64
import importlib.util
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

FILE = Path(__file__).parents[1] / "notebooks" / "conftest.py"
NOTEBOOKS = sorted(FILE.parent.glob("*.ipynb"))
CHANCE, WIDER = 15, 28  # cells whose limits are wider than any number may make them, and wider


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebook_checks", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


checks: Any = load()


@pytest.mark.parametrize(
    ("stored", "new", "tags"),
    [
        ("loss 0.512", "loss 0.509", []),
        ("loss 0.512", "loss 0.600", ["tolerance:0.2"]),
        ("gap 0.01", "gap 0.02", []),  # one unit of the last digit
        ("[ 0.001, -0.5  ,  1.   ]", "[ 0.001, -0.502, 0.999]", []),
        ("[-0.00]", "[ 0.00]", []),
        ("1,234.5 images", "1,240.5 images", []),
        ("1.50e-05", "1.51e-05", []),
        ("<A at 0x7f12>", "<A at 0x7f99>", []),
    ],
)
def test_texts_that_agree(stored: str, new: str, tags: list[str]) -> None:
    assert checks.text_difference(stored, new, checks.limits_of(tags)) is None


@pytest.mark.parametrize(
    ("stored", "new", "tags", "says"),
    [
        ("loss 0.512", "loss 0.600", [], "0.600 where 0.512 is stored: 17.19% off, 2.000% allowed"),
        ("loss 0.512", "loss 0.513", ["tolerance:0"], "0.000% allowed"),
        ("loss 0.512", "gain 0.512", [], "words differ: 'gain' where 'loss' is stored"),
        ("(256, 256)", "(256, 255)", [], "255 where 256 is stored"),
        ("v2.7.0", "v2.7.1", [], "words differ"),
        ("step 1. Next", "step 2. Next", [], "2. where 1. is stored"),
        ("loss nan", "loss 0.3", [], "words differ"),
        ("loss 0.512", "loss 1e+30", [], "1e+30 where 0.512 is stored"),
        ("wrong 0", "wrong 0.97", ["chance"], "0.97 where 0 is stored"),
        ("0.512 0.3", "0.512", [], "1 numbers where 2 are stored"),
    ],
)
def test_texts_that_differ(stored: str, new: str, tags: list[str], says: str) -> None:
    assert says in checks.text_difference(stored, new, checks.limits_of(tags))


@pytest.mark.parametrize(
    ("tag", "says"),
    [
        ("tolerence:0.2", "expected one of hide-check, chance, tolerance:NUMBER"),
        ("nbval-ignore-output", "expected one of"),
        ("chance:1", "expected one of"),
        ("tolerance:0.4", "expected at most tolerance:0.3"),
        ("picture:7", "expected at most picture:6"),
    ],
)
def test_a_wrong_tag_is_an_error(tag: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        checks.limits_of([tag])


def picture(seed: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    colours = np.random.default_rng(seed).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    return Image.fromarray(colours).resize(size)


def encoded(image: Image.Image, kind: str = "PNG") -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


def noisy(image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(1).integers(-3, 4, (*image.size[::-1], 3))
    return Image.fromarray((np.asarray(image, int) + noise).clip(0, 255).astype(np.uint8))


def figure(panel: int) -> Image.Image:
    """A large picture of one small panel."""
    whole = Image.new("RGB", (640, 480), "white")
    whole.paste(picture(panel, (64, 64)), (300, 200))
    return whole


@pytest.mark.parametrize(
    ("stored", "new", "tags", "says"),
    [
        (picture(1), picture(1), [], None),
        (picture(1), noisy(picture(1)), ["picture:2"], None),
        (picture(1), noisy(picture(1)), [], "mean difference 1.7"),
        (picture(1), picture(2), ["picture:6"], "mean difference"),
        (picture(1), picture(1, (97, 64)), [], "97x64 pixels where 96x64 is stored"),
        (figure(1), figure(2), ["picture:6"], "worst 32x32 tile at x=320, y=2"),
        (picture(1), picture(1).convert("RGBA"), [], None),
        (figure(1), figure(2), ["chance"], None),
        (figure(1), Image.new("RGB", (640, 480), "white"), ["chance"], "blank: deviation 0.0"),
    ],
)
def test_pictures(stored: Image.Image, new: Image.Image, tags: list[str], says: str | None) -> None:
    found = checks.picture_difference(encoded(stored), encoded(new), checks.limits_of(tags))
    assert found is None if says is None else says in found


def test_few_cells_are_compared_with_wider_limits() -> None:
    cells = [cell for path in NOTEBOOKS for cell in nbformat.read(path, as_version=4).cells]
    tags = [tags for cell in cells if (tags := cell.metadata.get("tags", []))]
    assert len([cell for cell in tags if "chance" in cell]) <= CHANCE
    assert len([cell for cell in tags if any(":" in tag for tag in cell)]) <= WIDER


START = """
import io, sys
import numpy as np
from IPython.display import Image as Shown, clear_output, display
from PIL import Image
def show(seed, kind="PNG"):
    colours = np.random.default_rng(seed).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(colours).resize((96, 64)).save(buffer := io.BytesIO(), kind)
    return Shown(data=buffer.getvalue(), format=kind.lower())
"""
LIVE = (
    "shown = display(show(1), display_id=True)\nfor seed in (2, 3):\n    shown.update(show(seed))"
)
CLEARED = "for seed in (1, 2):\n    clear_output(wait=True)\n    display(show(seed))"
Change = Callable[[Any], None] | None


def stored_as(change: Callable[[Image.Image], Image.Image], kind: str = "png") -> Change:
    """Change the pictures that a cell has stored."""

    def spoil(cell: Any) -> None:
        for output in cell.outputs:
            data = base64.b64decode(output.data[f"image/{kind}"])
            image = change(Image.open(io.BytesIO(data)).convert("RGB"))
            output.data[f"image/{kind}"] = encoded(image, kind.upper())

    return spoil


def other(image: Image.Image) -> Image.Image:
    return picture(99, image.size)


def without_outputs(cell: Any) -> None:
    cell.outputs = []


def worse(cell: Any) -> None:
    cell.outputs[0].text = cell.outputs[0].text.replace("0.512", "0.700")


# By notebook: a cell's source, its tags, what becomes of what it stores, whether it is to pass.
BOOKS: dict[str, list[tuple[str, list[str], Change, bool]]] = {
    "agreeing": [
        (START, [], None, True),
        ("print(f'loss {0.512:.3f}')", ["tolerance:0.3"], worse, True),
        ("show(1, 'JPEG')", ["picture:3"], stored_as(noisy, "jpeg"), True),
        (CLEARED, [], None, True),
        (LIVE, [], None, True),
        ("later = display(show(7), display_id=True); print('step 1')", [], None, True),
        ("later.update(show(8))", [], None, True),
        ("print('out'); print('err', file=sys.stderr); print('out again')", [], None, True),
        ("for i in range(3): print(f'\\repoch {i}/3', end='')", [], None, True),
        ("assert 1 + 1 == 2", ["hide-check"], None, True),
    ],
    "differing": [
        (START, [], None, True),
        ("print(f'loss {0.512:.3f}')", [], worse, False),
        ("show(1, 'JPEG')", [], stored_as(other, "jpeg"), False),
        ("show(1)", [], without_outputs, False),
        (CLEARED, [], stored_as(other), False),
        ("assert 1 + 1 == 3", ["hide-check"], without_outputs, False),
        ("print('fine')", [], None, True),
    ],
    # A live figure may be updated until the end, so the last cell is the one that fails.
    "live": [
        (START, [], None, True),
        (LIVE, [], stored_as(lambda _: picture(1)), True),
        ("print('last')", [], None, False),
    ],
    "misspelt": [("1", ["tolerence:0.2"], None, False)],
    "skipped": [("# NBVAL_SKIP\n1", [], None, False)],
    "ignored": [("# NBVAL_IGNORE_OUTPUT\n1", [], None, False)],
    "raising": [("# NBVAL_RAISES_EXCEPTION\nassert 0", ["hide-check"], None, False)],
    "unrun": [("1", [], None, False)],
}
REFUSED = ("misspelt", "skipped", "ignored", "unrun")  # whatever they store


def write(name: str, folder: Path) -> None:
    """Run a notebook, spoil what it stores, and write it."""
    book = BOOKS[name]
    cells = [new_code_cell(source, metadata={"tags": tags}) for source, tags, _, _ in book]
    notebook = new_notebook(cells=cells)
    if name not in REFUSED:
        NotebookClient(notebook, timeout=60, allow_errors=True).execute()
    elif name != "unrun":
        notebook.cells[0].execution_count = 1
    for cell, (_, _, change, _) in zip(notebook.cells, book, strict=True):
        if change:
            change(cell)
    nbformat.write(notebook, folder / f"{name}.ipynb")


@pytest.mark.slow
def test_nbval_passes_and_fails_the_cells_it_should(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_bytes(FILE.read_bytes())
    for name in BOOKS:
        write(name, tmp_path)
    report = tmp_path / "report.xml"
    words = ["--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "-n", "2"]
    outside = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    subprocess.run(
        [sys.executable, "-m", "pytest", *words, "--dist", "loadfile", f"--rootdir={tmp_path}",
         f"--junitxml={report}", "-c", "/dev/null", tmp_path], env=outside, check=False
    )  # fmt: skip
    found: dict[str, list[bool]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = (case.get("classname") or case.get("name") or "").split(".ipynb")[0].split(".")[-1]
        found.setdefault(name, []).append(case.find("failure") is case.find("error") is None)
    assert found == {name: [passes for *_, passes in book] for name, book in BOOKS.items()}
