"""No room, no permission, or another process in the same folder: one line, and nothing is lost."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from harness import Child, Children, log, wait_until
from PIL import Image

from pix2pix_ms.data.facades import facade
from pix2pix_ms.machine.files import LOCK
from tests.runs import TINY, options, result

pytestmark = pytest.mark.linux


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB; MindRecord begins no file where less than 10 are left."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        mount("-t", "tmpfs", "-o", "size=24m", "tmpfs", place)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user cannot mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def mount(*words: str | Path) -> None:
    subprocess.run(["mount", *map(str, words)], check=True, capture_output=True)


def train(run: Path, records: Path, *more: str) -> list[str | Path]:
    """The words of a tiny training."""
    return ["train", *options(TINY), "--data", records, "--out", run, *more]


def contents(folder: Path) -> dict[str, bytes]:
    """What a run must not lose."""
    kept = ("log.csv", "config.json", "data.json", "checkpoints/last.ckpt")
    return {name: (folder / name).read_bytes() for name in kept}


def said_in_one_line(child: Child) -> str:
    """The error of a process that failed; nothing else was said after the data."""
    assert child.status() == 1, child.said()
    lines = child.said().splitlines()
    assert "Traceback" not in child.said()
    assert lines[-1].startswith("error: ")
    assert all(line.startswith(("CPU, ", "10 pairs", "epoch ", "step ")) for line in lines[:-1])
    return lines[-1]


def test_a_training_resumes_after_the_disk_was_full(
    disk: Path, forked: Children, records: Path, undisturbed: Path
) -> None:
    """There is room for nothing, or for half of the checkpoint."""
    run, filler = disk / "run", disk / "filler"
    child = forked.command(*train(run, records))
    wait_until(child, child.reached(12))
    assert child.kill(signal.SIGTERM) == 143, child.said()
    before = contents(run)
    for room in (0, 500_000):
        free = shutil.disk_usage(disk).free
        filler.write_bytes(bytes(max(free - room, 0)))
        line = said_in_one_line(forked.command(*train(run, records, "--resume")))
        assert f"error: {run}/" in line
        assert "expected to read or write it, found: No space left on device; see that" in line
        after = contents(run)
        assert after["checkpoints/last.ckpt"] == before["checkpoints/last.ckpt"]
        assert not list((run / "checkpoints").glob(".writing*"))
        filler.unlink()
    child = forked.command(*train(run, records, "--resume"))
    assert child.status() == 0, child.said()
    assert result(run) == result(undisturbed)


def test_a_file_too_large_for_the_limit_is_named(
    forked: Children, records: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    line = said_in_one_line(forked.command(*train(run, records), largest=400_000))
    assert line.startswith(f"error: {run}/checkpoints/last.ckpt: expected to read or write it, fo")
    assert "File too large" in line
    assert not list((run / "checkpoints").iterdir())


def test_a_read_only_disk_is_one_line(
    disk: Path, forked: Children, records: Path, undisturbed: Path, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    for seed in range(2):
        Image.fromarray(np.hstack(facade(seed, 32))).save(pairs / f"{seed}.png")
    run, prepared = disk / "run", disk / "prepared"
    shutil.copytree(undisturbed, run)
    assert forked.command("prepare", pairs, prepared).status() == 0
    before = contents(run), [file.read_bytes() for file in sorted(prepared.iterdir())]
    mount("-o", "remount,ro", disk)
    for words in (
        train(run, records, "--resume"),
        train(disk / "another", records),
        ["prepare", pairs, prepared],
        ["prepare", pairs, disk / "another"],
        ["translate", pairs, "--checkpoint", undisturbed, "--out", disk / "images"],
    ):
        assert "Read-only file system" in said_in_one_line(forked.command(*words))
    after = contents(run), [file.read_bytes() for file in sorted(prepared.iterdir())]
    assert after == before


def test_a_run_folder_is_locked_while_its_process_lives(
    forked: Children, records: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Also by a kill; a training, and a preparation of records."""
    from pix2pix_ms.errors import Pix2PixError
    from pix2pix_ms.machine.files import held

    run = tmp_path / "run"
    child = forked.train(run, records)
    wait_until(child, lambda: len(log(run)) == 1)
    refused = f"{run}: in use by another process; wait until"
    with pytest.raises(Pix2PixError, match=refused), held(run):
        pass
    assert child.kill(signal.SIGKILL) == -signal.SIGKILL
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    Image.fromarray(np.hstack(facade(0, 32))).save(pairs / "0.png")
    with held(run):
        for words in (train(run, records, "--resume"), ["prepare", pairs, run]):
            line = said_in_one_line(forked.command(*words))
            assert line.startswith(f"error: {refused}")
    child = forked.train(run, records)
    assert child.status() == 0, child.said()
    assert result(run) == result(undisturbed)
    assert not (run / LOCK).exists()


def test_a_file_is_synced_before_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Synced, renamed, and the folder synced too: else a power cut may leave an empty file."""
    from pix2pix_ms.machine.files import replace_text

    happened: list[str] = []
    replace, sync = Path.replace, os.fsync

    def replacing(source: Path, target: Path) -> Path:
        happened.append(f"{source.name} becomes {target.name}")
        return replace(source, target)

    def syncing(opened: int) -> None:
        happened.append(f"{Path(f'/proc/self/fd/{opened}').readlink().name} is synced")
        sync(opened)

    monkeypatch.setattr(Path, "replace", replacing)
    monkeypatch.setattr(os, "fsync", syncing)
    replace_text(tmp_path / "file", "text")
    assert happened == [
        ".writing-file is synced", ".writing-file becomes file", f"{tmp_path.name} is synced",
    ]  # fmt: skip


def test_a_lock_is_reentrant_and_leaves_nothing(tmp_path: Path) -> None:
    from pix2pix_ms.machine.files import held

    folder = tmp_path / "new" / "folder"
    with held(folder):
        with held(folder):
            assert os.listdir(folder) == [LOCK]  # noqa: PTH208
        assert (folder / LOCK).exists()
    assert not folder.exists()
