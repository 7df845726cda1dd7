"""No room, no permission, or another process in the same folder: one line, and nothing is lost."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from harness import Children, training
from PIL import Image

from pix2pix_ms.data.prepare.prepare import prepare
from pix2pix_ms.data.records import read_record
from pix2pix_ms.machine.files import LOCK, held, replace_text
from tests.runs import refused, result, save_pairs

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


def contents(folder: Path) -> dict[str, bytes]:
    """What a run must not lose."""
    kept = ("log.csv", "config.json", "data.json", "checkpoints/last.ckpt")
    return {name: (folder / name).read_bytes() for name in kept}


def test_a_training_resumes_after_the_disk_was_full(
    disk: Path, forked: Children, records: Path, undisturbed: Path
) -> None:
    """There is room for nothing, or for half of the checkpoint."""
    run, filler = disk / "run", disk / "filler"
    child = forked.command(*training(run, records))
    child.wait_for(12)
    assert child.kill(signal.SIGTERM) == 143, child.said()
    before = contents(run)
    for room in (0, 500_000):
        free = shutil.disk_usage(disk).free
        filler.write_bytes(bytes(max(free - room, 0)))
        line = forked.command(*training(run, records, "--resume")).failed()
        assert f"error: {run}/" in line
        assert "expected to read or write it, found: No space left on device; see that" in line
        after = contents(run)
        assert after["checkpoints/last.ckpt"] == before["checkpoints/last.ckpt"]
        assert not list((run / "checkpoints").glob(".writing*"))
        filler.unlink()
    child = forked.command(*training(run, records, "--resume"))
    assert child.status() == 0, child.said()
    assert result(run) == result(undisturbed)


def test_a_file_too_large_for_the_limit_is_named(
    forked: Children, records: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    line = forked.command(*training(run, records), largest=400_000).failed()
    assert line.startswith(f"error: {run}/checkpoints/last.ckpt: expected to read or write it, fo")
    assert "File too large" in line
    assert not list((run / "checkpoints").iterdir())


def test_a_read_only_disk_is_one_line(
    disk: Path, forked: Children, records: Path, undisturbed: Path, tmp_path: Path
) -> None:
    pairs = save_pairs(tmp_path / "pairs", 2)
    run, prepared = disk / "run", disk / "prepared"
    shutil.copytree(undisturbed, run)
    assert forked.command("prepare", pairs, prepared).status() == 0
    before = contents(run), [file.read_bytes() for file in sorted(prepared.iterdir())]
    mount("-o", "remount,ro", disk)
    for words in (
        training(run, records, "--resume"),
        training(disk / "another", records),
        ["prepare", pairs, prepared],
        ["prepare", pairs, disk / "another"],
        ["translate", pairs, "--checkpoint", undisturbed, "--out", disk / "images"],
    ):
        assert "Read-only file system" in forked.command(*words).failed()
    after = contents(run), [file.read_bytes() for file in sorted(prepared.iterdir())]
    assert after == before


def test_records_stay_where_the_disk_is_too_small_for_new_ones(disk: Path, tmp_path: Path) -> None:
    """The record does not fit beside the spool, is not even begun, or the spool does not fit."""
    noise = np.random.default_rng(9).integers(0, 256, (400, 800, 3), dtype=np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(noise).save(first := tmp_path / "in/0.png")
    (path,) = prepare(save_pairs(tmp_path / "old", 1), disk / "out")
    images = 1
    for more in (14, 16, 30):
        for number in range(images, more):
            os.link(first, tmp_path / f"in/{number}.png")
        images = more
        with refused("expected to write records there, found: "):
            prepare(tmp_path / "in", disk / "out", force=True)
        assert len(list(read_record(path))) == 1
        assert len(list(path.parent.iterdir())) == 2


def test_a_run_folder_is_locked_while_its_process_lives(
    forked: Children, records: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Also by a kill; a training, and a preparation of records."""
    run = tmp_path / "run"
    child = forked.command(*training(run, records))
    child.wait_for(1)
    with refused(f"^{run}: in use by another process; wait until"), held(run):
        pass
    assert child.kill(signal.SIGKILL) == -signal.SIGKILL
    pairs = save_pairs(tmp_path / "pairs", 1)
    with held(run):
        for words in (training(run, records, "--resume"), ["prepare", pairs, run]):
            line = forked.command(*words).failed()
            assert line.startswith(f"error: {run}: in use by another process; wait until")
    child = forked.command(*training(run, records, "--resume"))
    assert child.status() == 0, child.said()
    assert result(run) == result(undisturbed)
    assert not (run / LOCK).exists()


def test_a_file_is_synced_before_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Synced, renamed, and the folder synced too: else a power cut may leave an empty file."""
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
    folder = tmp_path / "new" / "folder"
    with held(folder):
        with held(folder):
            assert os.listdir(folder) == [LOCK]  # noqa: PTH208
        assert (folder / LOCK).exists()
    assert not folder.exists()
