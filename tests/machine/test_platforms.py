"""Every operator, cell and function that trains is documented for Ascend, GPU and CPU.

Only a CPU computes here. What the other devices are asked to compute is the same graph, and
MindSpore's documentation says of each of its operators which devices have it.
"""

import ast
import json
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.every_model import MODELS
from tests.machine.platform_reference import (
    PACKAGE,
    STANDS_FOR,
    TABLE,
    documentation,
    dynamic_shapes,
    graphs,
    platforms,
    used_in,
)

ALL = {"Ascend", "GPU", "CPU"}
STORED: dict[str, dict[str, str]] = json.loads(TABLE.read_text())

# The graph's own: what is loaded, packed, ordered and chosen. No kernel computes it.
STRUCTURE = {
    "prim.Load", "prim.MakeTuple", "prim.Switch", "prim.TensorMove", "prim.TupleGetItem",
    "prim.UpdateState", "prim.make_list",
}  # fmt: skip
# Listed for fewer or for none, and what keeps that from mattering.
EXCEPTIONS = {
    # Listed without the CPU, though it is the operator Conv2D, which is listed with it.
    "ops.conv2d": "blocks.py and resnet.py of pix2pix/nets call it where `computes_on_cpu()` alone",
    # machine/ranks.py; on a CPU they run too, as tests/machine/test_distributed.py shows.
    "ops.AllGather": "among ranks alone",
    "ops.Broadcast": "likewise",
    "amp.auto_mixed_precision": "changes cells in Python, computes nothing",
    "amp.custom_mixed_precision": "likewise",
    "amp.get_black_list": "likewise",
}


@pytest.fixture(scope="module")
def used(compiled: Path) -> set[str]:
    """The names of all that trains."""
    return used_in(compiled / "graphs")


def lacking(listed: dict[str, str]) -> dict[str, set[str]]:
    """What lists fewer than all three, and which it lists."""
    found = {n: set(listed.get(STANDS_FOR.get(n, n), "").split()) for n in listed}
    return {n: p for n, p in found.items() if p != ALL and n not in STRUCTURE | EXCEPTIONS.keys()}


@pytest.mark.parametrize("release", STORED)
def test_all_that_trains_is_listed_for_every_device(used: set[str], release: str) -> None:
    unknown = used - STORED[release].keys()
    assert not unknown, "read them too: tests/machine/platform_reference.py"
    assert not lacking(STORED[release])


def test_the_table_is_of_the_newest_release_and_the_pinned_as_it_is_installed() -> None:
    pinned = (PACKAGE.parent / "constraints.txt").read_text().split("mindspore==")[1].split()[0]
    assert set(STORED) == {pinned, "2.10.0"}
    if (release := metadata.version("mindspore")) not in STORED:
        pytest.skip(f"the table has {', '.join(STORED)}")
    (place,) = find_spec("mindspore").submodule_search_locations  # type: ignore[union-attr, misc]
    documents = documentation(Path(place))
    assert STORED[release] == {n: " ".join(platforms(n, documents)) for n in STORED[release]}


def test_every_exception_is_used_and_needed(used: set[str]) -> None:
    """So that what a later release lists does not stay on a list of exceptions here."""
    assert EXCEPTIONS.keys() <= used
    assert STANDS_FOR.keys() <= used
    for release in STORED.values():
        assert all(set(release[n].split()) != ALL for n in (*EXCEPTIONS, *STANDS_FOR))


def test_the_branch_that_an_exception_names_is_there() -> None:
    for file in ("pix2pix/nets/blocks.py", "pix2pix/nets/resnet.py"):
        tree = ast.parse((PACKAGE / file).read_text())
        for layer in (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)):
            text = ast.unparse(layer)
            if "ops.conv2d(" in text:
                assert "computes_on_cpu()" in text
                assert "return super().construct(x)" in text.split("ops.conv2d(")[0]


def test_no_tensor_of_a_step_has_a_shape_that_is_not_known_beforehand(compiled: Path) -> None:
    found = graphs(compiled / "graphs")
    assert len(found) >= len(MODELS)
    assert not [shape for graph in found for shape in dynamic_shapes(graph)]
    assert dynamic_shapes(
        "%0 : (<Ref[Tensor[Float32]], (2, -1, 4)>) -> (<Any(Tensor)[Int8], (-2)>)"
    )
