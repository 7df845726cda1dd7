"""What nbval cannot see: every cell was run and is short, and the stored pictures are ours."""

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import nbformat
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from pix2pix_ms.data.facades import facade
from pix2pix_ms.data.images import resized
from pix2pix_ms.pix2pix.translate import Translator
from pix2pix_ms.training.checkpoints import SHIPPED_GENERATOR, load_generator
from pix2pix_ms.training.figures import image_grid

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
Script = Callable[[str], ModuleType]  # imports a script of the notebooks' folder


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_is_run_compared_and_short(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    # A cell without a count is passed by nbval without being compared.
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [o for cell in code for o in cell.outputs if o.get("name") == "stderr"]
    assert max(len(cell.source.splitlines()) for cell in code) <= 25
    assert path.stat().st_size < 1_500_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_index_shows_a_picture_out_of_it(path: Path, script: Script) -> None:
    ((kind, picture),) = script("regenerate").cards(nbformat.read(path, as_version=4))
    card = FOLDER / "cards" / f"{path.stem}.{kind}"
    assert card.read_bytes() == picture
    index = nbformat.read(FOLDER / "00_index.ipynb", as_version=4)
    shown = [f'src="cards/{card.name}"', f"](cards/{card.name})"]  # the index's own, at its top
    assert sum(cell.source.count(link) for cell in index.cells for link in shown) == 1


@pytest.mark.parametrize("path", sorted((FOLDER / "longer").iterdir()), ids=lambda path: path.stem)
def test_a_longer_training_changes_a_few_lines_and_is_shown(path: Path, script: Script) -> None:
    longer = script("longer")
    maker = longer.MADE_BY.get(path.stem, path.stem)
    shown, changes = longer.CHANGES[maker]
    changed = longer.changed(maker).cells
    assert shown in {cell.id for cell in changed}
    for cell in changed:
        compile(re.sub(r"^%.*", "", cell.source, flags=re.M), cell.id, "exec")
    assert path.stat().st_size < 200_000
    notebook = nbformat.read(FOLDER / f"{maker}.ipynb", as_version=4)
    for old in changes:
        assert sum(cell.source.count(old) for cell in notebook.cells) == 1
    notebook = nbformat.read(FOLDER / f"{path.stem}.ipynb", as_version=4)
    assert sum(f"](longer/{path.name})" in cell.source for cell in notebook.cells) == 1


def test_every_longer_training_has_its_picture(script: Script) -> None:
    longer = script("longer")
    made = {*longer.CHANGES, *longer.MADE_BY}
    assert made == {path.stem for path in (FOLDER / "longer").iterdir()}


def test_the_index_says_how_long_each_takes_to_read() -> None:
    index = nbformat.read(FOLDER / "00_index.ipynb", as_version=4)
    said = dict(
        found
        for cell in index.cells
        for found in re.findall(r"\]\((\w+)\.ipynb\) · about (\d+) minutes", cell.source)
    )
    for path in NOTEBOOKS[1:]:
        cells = nbformat.read(path, as_version=4).cells
        words = sum(len(c.source.split()) for c in cells if c.cell_type == "markdown")
        folded = [bool(c.metadata.get("jupyter", {}).get("source_hidden")) for c in cells]
        lines = sum(
            len(cell.source.splitlines())
            for cell, hidden in zip(cells, folded, strict=True)
            if cell.cell_type == "code" and not hidden
        )
        assert abs(int(said[path.stem]) - (words / 150 + lines / 10)) < 3
    assert sum(map(int, said.values())) == 60 * 7.5


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


@pytest.fixture
def picture(script: Script) -> ModuleType:
    return script("picture")


def test_the_readmes_picture_is_what_the_generator_makes(picture: ModuleType) -> None:
    canvas = FigureCanvasAgg(image_grid(picture.rows()))
    canvas.draw()
    made = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    stored = np.asarray(Image.open(picture.PICTURE).convert("RGB")).astype(int)
    assert made.shape == stored.shape
    assert np.abs(made - stored).mean() < 1  # other processors round otherwise


def test_the_label_map_to_try_is_procedural(picture: ModuleType) -> None:
    np.testing.assert_array_equal(np.asarray(Image.open(picture.LABEL_MAP)), picture.label_map())


def test_the_strip_is_of_generated_images_alone(picture: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    for number, name in enumerate(picture.HELD_OUT):
        pair = facade(number, 64)
        both = Image.fromarray(np.hstack([pair.photo, pair.label_map]))
        both.save(tmp_path / "val" / f"{name}.jpg", quality=100, subsampling=0)
    made = picture.strip(tmp_path)
    assert made.shape == (512, 1024, 3)
    assert np.asarray(Image.open(picture.STRIP)).shape == made.shape
    generate = Translator(*load_generator(SHIPPED_GENERATOR))
    for place, number in ((0, 0), (256, 1)):  # JPEG changes the label map a little
        seen = resized(facade(number, 64).label_map, 256, 256)
        wanted = generate.image(seen).astype(int)
        assert np.abs(made[:256, place : place + 256] - wanted).mean() < 10
        assert np.abs(made[:256, place : place + 256] - np.roll(wanted, 128, axis=1)).mean() > 20
