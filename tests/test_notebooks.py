"""What nbval cannot see: every cell was run and is short, and the README's picture is ours."""

from pathlib import Path

import nbformat
import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_are_four() -> None:
    names = ["01_data", "02_networks", "03_training", "04_inference"]
    assert [path.stem for path in NOTEBOOKS] == names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_is_run_compared_and_short(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    # A cell without a count is passed by nbval without being compared.
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [o for cell in code for o in cell.outputs if o.get("name") == "stderr"]
    assert not [cell for cell in code if "nbval-ignore-output" in cell.metadata.get("tags", [])]
    assert max(len(cell.source.splitlines()) for cell in code) <= 25
    assert path.stat().st_size < 1_500_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_picture_has_a_number_beside_it(path: Path) -> None:
    """nbval skips png, so a cell with a picture prints something that is compared."""
    for cell in nbformat.read(path, as_version=4).cells:
        outputs = cell.get("outputs", [])
        pictures = [o for o in outputs if "image/png" in o.get("data", {})]
        assert not pictures or [o for o in outputs if o.get("name") == "stdout"], cell.source


def test_the_readmes_picture_is_what_the_generator_makes() -> None:
    import sys

    sys.path.insert(0, str(FOLDER))
    import picture
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    from pix2pix_ms.figures import image_grid

    canvas = FigureCanvasAgg(image_grid(picture.rows()))
    canvas.draw()
    made = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    stored = np.asarray(Image.open(picture.PICTURE).convert("RGB")).astype(int)
    assert made.shape == stored.shape
    assert np.abs(made - stored).mean() < 1  # other processors round otherwise
