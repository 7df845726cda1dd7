"""One set of pins: pyproject.toml, constraints.txt and environment.yml say the same."""

import tomllib
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import pix2pix_ms

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def declared() -> dict[str, Requirement]:
    """What pyproject asks for, the extras but PyTorch included, this package aside."""
    extras = {name: needs for name, needs in EXTRAS.items() if name != "torch"}
    lists = [PROJECT["dependencies"], *extras.values()]
    needs = [Requirement(text) for group in lists for text in group]
    return {canonicalize_name(need.name): need for need in needs if need.name != PROJECT["name"]}


def constraints() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def conda() -> list[str]:
    listed = yaml.safe_load((REPOSITORY / "environment.yml").read_text())["dependencies"]
    (pip,) = [entry["pip"] for entry in listed if isinstance(entry, dict)]
    return [line for line in pip if not line.startswith("-")]


def test_conda_and_pyproject_have_the_pins_and_so_has_this_environment() -> None:
    pins = {name: constraints()[name] for name in declared()}
    assert {tuple(line.split("==")) for line in conda()} == set(pins.items())
    assert {name: metadata.version(name) for name in pins} == pins
    for name, need in declared().items():
        assert need.specifier.contains(pins[name]), need


def test_mindspore_and_numpy_are_bounded() -> None:
    """For another release measure the cap on oneDNN (machine/process.py), read its platforms."""
    bounds = {name: str(need.specifier) for name, need in declared().items()}
    assert bounds["mindspore"] == "<2.11,>=2.7"
    assert bounds["numpy"] == "<2"


def test_the_citation_names_this_version_and_licence() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["version"] == pix2pix_ms.__version__
    assert citation["license"] == PROJECT["license"]
    assert "Apache License" in (REPOSITORY / "LICENSE").read_text()
