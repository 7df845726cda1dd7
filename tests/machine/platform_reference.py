"""What MindSpore's own documentation says an operator, cell or function runs on, by release.

    python -m tests.machine.platform_reference GRAPHS 2.8.0=SITE_PACKAGES/mindspore \
        2.10.0=WHEEL/mindspore

reads the docstrings without importing anything and writes `tests/machine/platforms.json`. The wheel
of a release that is not installed need only be unpacked (`pip download --no-deps
mindspore==2.10.0`, `unzip FILE 'mindspore/*.py' -d WHEEL`). GRAPHS is the folder
`tests/every_model.py` had MindSpore write to. In the table `ops.relu` is a function, `nn.Dense` a
cell, `prim.ReLU` an operator.
"""

import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat

TABLE = Path(__file__).with_name("platforms.json")
PACKAGE = Path(__file__).parents[2] / "pix2pix_ms"
NOTEBOOKS = PACKAGE.parent / "notebooks"
# Where a release defines what a prefix stands for; the first place that documents a name counts.
PLACES = {
    "ops": ("ops/function/**/*.py", "ops/auto_generate/gen_ops_def.py", "ops/operations/**/*.py",
            "ops/auto_generate/gen_ops_prim.py"),
    "prim": ("ops/operations/**/*.py", "ops/auto_generate/gen_ops_prim.py"),
    "nn": ("nn/**/*.py",),
    "amp": ("amp.py", "train/amp.py"),
    "ms": ("ops/function/**/*.py", "common/*.py", "train/*.py", "context.py"),
}  # fmt: skip
# Of the same name as others that are exported: collectives, and gradients of operators.
PASSED_OVER = ("comm_func.py", "_grad_ops.py")
# Without a list of their own, or with a shorter one: gradients, which come with what they are of
# (`ops.square` has PowTensorScalar, which as an operator is listed for Ascend alone, in its
# gradient), and what an operator becomes where one side is a number.
STANDS_FOR = {
    "prim.BatchNormGrad": "prim.BatchNorm",
    "prim.BiasAddGrad": "prim.BiasAdd",
    "prim.Conv2DBackpropFilter": "prim.Conv2D",
    "prim.Conv2DBackpropInput": "prim.Conv2D",
    "prim.MirrorPadGrad": "prim.MirrorPad",
    "prim.PowTensorScalar": "ops.square",
    "prim.ReluGrad": "ops.relu",
    "prim.RsqrtGrad": "ops.rsqrt",
    "prim.SplitWithSize": "ops.cat",
    "prim.SqrtGrad": "ops.sqrt",
    "prim.StridedSliceGrad": "prim.StridedSlice",
    "prim.TanhGrad": "ops.tanh",
    "prim.AddScalar": "ops.add",
    "prim.Muls": "ops.mul",
    "prim.RemainderTensorScalar": "ops.remainder",
}


def documentation(mindspore: Path) -> dict[str, str]:
    """Return the docstrings of a release, by prefix and name."""
    found: dict[str, str] = {}
    read: dict[Path, dict[str, str]] = {}
    for prefix, patterns in PLACES.items():
        for file in (file for pattern in patterns for file in sorted(mindspore.glob(pattern))):
            if file.name in PASSED_OVER:
                continue
            if file not in read:
                read[file] = dict(docstrings(file))
            for name, text in read[file].items():
                found.setdefault(f"{prefix}.{name}", text)
    return found


def docstrings(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the docstring of what a file defines at its outermost level."""
    for node in ast.parse(file.read_text(errors="replace")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name, ast.get_docstring(node) or ""


def platforms(name: str, documents: dict[str, str]) -> tuple[str, ...]:
    """Return what the documentation of a name lists; () where it lists nothing.

    An operator's docstring may only refer to the function that it is.
    """
    text = documents.get(name, "")
    if found := re.search(r"Supported Platforms:\s*(.*)", text):
        return tuple(re.findall(r"``(\w+)``", found[1]))
    refers = re.search(r"Refer to :func:`mindspore\.ops\.(\w+)`", text)
    return platforms(f"ops.{refers[1]}", documents) if refers else ()


def notebook_code(file: Path) -> str:
    """Return what a notebook's cells run, without the lines that are for IPython."""
    cells = (cell for cell in nbformat.read(file, 4).cells if cell.cell_type == "code")
    lines = (line for cell in cells for line in cell.source.splitlines())
    return "\n".join(line for line in lines if not line.startswith("%"))


def named_in_source() -> set[str]:
    """Return what package and notebooks name of `ops`, `nn`, `amp`, and to take gradients."""
    sources = [file.read_text() for file in PACKAGE.rglob("*.py")]
    sources += [notebook_code(file) for file in NOTEBOOKS.glob("*.ipynb")]
    names = set()
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Attribute(value=ast.Name(id="ops" | "nn" | "amp" as module)):
                    names.add(f"{module}.{node.attr}")
                case ast.Attribute(value=ast.Name(id="ms"), attr="grad" | "value_and_grad"):
                    names.add(f"ms.{node.attr}")
    return names


def graphs(folder: Path) -> list[str]:
    """Return the graphs that MindSpore wrote to a folder, as text."""
    return [file.read_text() for file in sorted(folder.glob("*validate*.ir"))]


def operators(graph: str) -> set[str]:
    """Return the operators of a graph, gradients included, as `prim.NAME`."""
    calls = re.findall(r"^ *%\w+\([^)]*\) = (?:PrimFunc_)?(\w+)\(", graph, re.MULTILINE)
    return {f"prim.{name}" for name in calls}


def dynamic_shapes(graph: str) -> list[str]:
    """Return the types of a graph's tensors that have a side, or a rank, not known beforehand."""
    return re.findall(r"Tensor\S*\[\w+\]\S*, \((?:\d+, )*-[12]\b[^)]*\)", graph)


def table(releases: Iterable[str], names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return for each release, given as NAME=FOLDER, what it documents of the names."""
    rows = {}
    for release, _, folder in (each.partition("=") for each in releases):
        documents = documentation(Path(folder))
        rows[release] = {n: " ".join(platforms(n, documents)) for n in sorted(names)}
    return rows


def used_in(folder: Path) -> set[str]:
    """Return the names of all that the graphs in a folder, and the package's code, use."""
    return {name for graph in graphs(folder) for name in operators(graph)} | named_in_source()


if __name__ == "__main__":
    names = used_in(Path(sys.argv[1]))
    names |= {STANDS_FOR[name] for name in names & STANDS_FOR.keys()}
    TABLE.write_text(json.dumps(table(sys.argv[2:], names), indent=1) + "\n")
