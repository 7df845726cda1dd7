"""The Chinese edition: English code and outputs, a translation of every cell, and up to date."""

import re
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

from tests.runs import REPOSITORY

NOTEBOOKS = REPOSITORY / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
GLOSS = "\uff08[^\uff09]*\uff09"  # in full-width brackets
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(NOTEBOOKS / "zh"))
    sys.modules.pop("build", None)
    import build

    return build


def code(path: Path) -> list[dict[str, object]]:
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_is_translated_from_the_english_of_today(build: ModuleType, name: str) -> None:
    assert build.problems(name) == []


@pytest.mark.parametrize("name", NAMES)
def test_code_and_outputs_are_the_english_ones_and_the_text_is_chinese(
    build: ModuleType, name: str
) -> None:
    path = NOTEBOOKS / "zh" / f"{name}.ipynb"
    assert nbformat.read(path, 4) == build.built(name), "run notebooks/zh/build.py"
    assert code(path) == code(NOTEBOOKS / f"{name}.ipynb")
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "markdown":
            assert re.search("[\u4e00-\u9fff]", cell.source), cell.id


def test_a_cell_that_changed_or_has_no_translation_is_named(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text").mkdir()
    source = NOTEBOOKS / "zh" / "text" / "01_data.md"
    (text := tmp_path / "text" / source.name).write_text(source.read_text())
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    first, second, *_ = build.texts("01_data")
    known = {cell: known for cell, (known, _) in build.texts("01_data").items()}
    changed = text.read_text().replace(known[first], "0" * 12)
    text.write_text(changed.replace(f"<!-- {second} ", "<!-- of-before "))
    assert build.problems("01_data") == [
        f"01_data: {second}: no translation",
        "01_data: of-before: translated, but not in English",
        f"01_data: {first}: the English has changed since it was translated",
    ]


def test_links_lead_somewhere() -> None:
    pages = [*(NOTEBOOKS / "zh").glob("*.md"), REPOSITORY / "README_CN.md"]
    texts = {page: page.read_text() for page in pages} | {
        path: "\n".join(c.source for c in nbformat.read(path, 4).cells if c.cell_type != "code")
        for path in (NOTEBOOKS / "zh").glob("*.ipynb")
    }
    broken = [
        f"{page.name}: {link}"
        for page, text in texts.items()
        for link in LINK.findall(text)
        if not (page.parent / link).exists()
    ]
    assert broken == []


@pytest.mark.parametrize(
    ("page", "folder", "quoted"),
    [
        ("from_day_22.md", NOTEBOOKS, r"\]\(\.\./(\w+)\.ipynb\), \*([^*]+)\*"),
        ("从第22天来.md", NOTEBOOKS / "zh", r"\]\((\w+)\.ipynb\)“([^”]+)”"),
    ],
)
def test_headings_that_the_page_from_day_22_names_are_there(
    page: str, folder: Path, quoted: str
) -> None:
    named = re.findall(quoted, (NOTEBOOKS / "zh" / page).read_text(encoding="utf-8"))
    assert len(named) == 19
    for name, heading in named:
        cells = nbformat.read(folder / f"{name}.ipynb", 4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        headings = re.findall(r"^#+ (.+)", re.sub(GLOSS, "", text), re.M)
        assert any(each.startswith(heading) for each in headings), f"{name}: {heading}"
