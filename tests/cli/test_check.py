"""`pix2pix-ms info --check`: what it says where all is well, and where something is not."""

from pathlib import Path

import numpy as np
import pytest

from pix2pix_ms.cli import selfcheck
from pix2pix_ms.cli.selfcheck import cann_version, cuda_version, surroundings
from pix2pix_ms.machine import process
from pix2pix_ms.pix2pix.nets import blocks
from tests.runs import call, output


def test_it_trains_in_both_modes_and_says_what_a_report_needs() -> None:
    said = output("info", "--check", "--device", "CPU")
    assert "devices: CPU" in said  # what `info` alone says
    assert "computing on: CPU" in said
    for mode in ("graph mode", "PyNative mode"):
        (line,) = [line for line in said.splitlines() if line.startswith(f"{mode}: ")]
        assert "s/step" in line
        assert "falling" in line
        assert "NOT" not in line
    assert "GiB of the host" in said
    assert said.isascii()


@pytest.mark.parametrize("fault", ["nan", "raise"])
def test_a_fault_is_reported_and_ends_in_one_line(
    monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def broken(x: object) -> object:
        if fault == "raise":
            raise RuntimeError("no kernel\nand much more")
        return x * np.nan  # type: ignore[operator]

    monkeypatch.setattr(blocks, "leaky_relu", broken)
    monkeypatch.setattr(selfcheck, "small", lambda _: SMALL)
    found = call("info", "--check")
    assert found.exit_code == 1
    word = "ArithmeticError: expected finite" if fault == "nan" else "RuntimeError: no kernel"
    assert f"PyNative mode: FAILED, {word}" in found.output
    (error,) = found.stderr.splitlines()
    assert error.startswith("error: check: expected 3 steps with finite losses")
    assert "memory: " in found.output  # what could be said is said


SMALL = selfcheck.small(jit=False)


def test_variables_set_by_us_and_by_others_are_listed_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "late", ["mindspore"])
    variables = {"GLOG_v": "3", "OMP_NUM_THREADS": "1", "HOME": "/root", "MS_BUILD": "x"}
    lines = list(surroundings(variables, {"GLOG_v": "3"}))
    assert lines[-2] == "pix2pix_ms was imported AFTER mindspore and set: GLOG_v=3"
    assert lines[-1] == "set by others: MS_BUILD=x OMP_NUM_THREADS=1"


def test_versions_of_the_toolkits_are_read_off_their_files(tmp_path: Path) -> None:
    assert cann_version({}, tmp_path) == cuda_version(tmp_path) == "not found"
    latest = tmp_path / "ascend-toolkit/latest/x86_64-linux"
    latest.mkdir(parents=True)
    (latest / "ascend_toolkit_install.info").write_text("package=Ascend\nversion=8.2.RC1\n")
    assert cann_version({}, tmp_path) == "8.2.RC1"
    (tmp_path / "version.json").write_text('{"cuda": {"name": "CUDA SDK", "version": "11.6.20"}}')
    assert cuda_version(tmp_path) == "11.6.20"
