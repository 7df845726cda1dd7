"""Where no command can run: on Windows, in a folder that is gone, in a notebook's stopped cell."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from pix2pix_ms.cli import console
from pix2pix_ms.machine.signals import Stopped


def test_windows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert console.unfit() is None
    monkeypatch.setattr(sys, "platform", "win32")
    assert str(console.unfit()).startswith("Windows: expected Linux or macOS")


@pytest.mark.slow
@pytest.mark.linux
def test_a_deleted_working_folder_is_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = f"cd {gone}; rmdir {gone}; exec {sys.executable} -m pix2pix_ms info"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    found = subprocess.run(
        ["sh", "-c", program], capture_output=True, text=True, env=environment, check=False
    )
    assert found.returncode == 1
    assert found.stderr.splitlines() == [
        "error: working folder: expected one that exists, found it deleted; change to another"
    ]


def test_an_interrupted_cell_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def cell() -> None:
        raise Stopped("last.ckpt holds epoch 3")

    shell = InteractiveShell.instance()
    shell.user_ns["cell"] = cell
    shell.run_cell("cell()")
    InteractiveShell.clear_instance()
    assert capsys.readouterr().out.strip() == "interrupted: last.ckpt holds epoch 3"
