"""A training that is killed, stopped or damaged goes on as if nothing had happened."""

import os
import random
import re
import signal
import time
from pathlib import Path

import pytest
from harness import Child, Children, count, training, wait_until

from tests.runs import result

pytestmark = pytest.mark.linux

KILLS_A_RUN = 5


def kill_somewhere(child: Child, folder: Path, draw: random.Random) -> bool:
    """Kill a training at a random moment, about every second time while it writes a checkpoint.

    Returns:
        Whether it was killed before it had ended.
    """
    if draw.random() < 0.5:
        writing = folder / "checkpoints" / ".writing-last.ckpt"
        wait_until(child, writing.exists)
        time.sleep(draw.uniform(0, 0.8))
    else:
        wait_until(child, (folder / "config.json").exists)
        time.sleep(draw.uniform(0, 4))
    return child.is_running() and child.kill(signal.SIGKILL) == -signal.SIGKILL


def test_killed_anywhere_it_goes_on_to_the_bit(
    forked: Children, records: Path, undisturbed: Path, tmp_path: Path
) -> None:
    expected, inside = result(undisturbed), 0
    for number in range(count(1, 50 // KILLS_A_RUN)):
        draw, folder, kills = random.Random(number), tmp_path / str(number), 0
        while kills < KILLS_A_RUN:
            child = forked.command(*training(folder, records, "--resume"), slow=True)
            kills += kill_somewhere(child, folder, draw)
            assert child.status() in (0, -signal.SIGKILL), child.said()
            inside += any((folder / "checkpoints").glob(".writing-*"))
            if child.status() == 0:  # it has come to its end: kill another
                assert result(folder) == expected
                folder = tmp_path / f"{number}-{kills}"
        last = forked.command(*training(folder, records, "--resume"))
        assert last.status() == 0, last.said()
        assert result(folder) == expected
        left = sorted(path.name for path in (folder / "checkpoints").iterdir())
        assert left == ["epoch_002.ckpt", "epoch_003.ckpt", "last.ckpt", "previous.ckpt"]
    assert inside >= count(1, 10), "kills while a checkpoint was being written"


ENDS = {12: [signal.SIGINT], 14: [signal.SIGTERM], 16: [signal.SIGHUP, signal.SIGHUP]}


def test_a_signal_ends_it_after_the_step_with_everything_saved(
    forked: Children, records: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Ctrl-C, SIGTERM and the end of a connection within one epoch; what it prints goes on.

    A terminal that is closed may send SIGHUP twice, which is no second thought of anybody's.
    """
    run = tmp_path / "a run"
    words = training(run, records)
    pauses = dict.fromkeys(ENDS, 1.0)
    child = forked.command(*words, pauses=pauses)
    for step, numbers in ENDS.items():
        child.wait_for(step)
        for number in numbers:
            os.kill(child.pid, number)
            time.sleep(0.1)
        assert child.status() == 128 + numbers[0], child.said()
        assert "Traceback" not in child.said()
        said = child.said().splitlines()[-1]
        place = f"error: interrupted; {run}/checkpoints/last.ckpt holds epoch 1 and {step - 10}"
        found = re.fullmatch(
            rf"{place} steps more; go on with: pix2pix-ms (train .*) --out '.*' --resume", said
        )
        assert found, said
        assert found[1] == " ".join(map(str, words[:-2]))
        child = forked.command(*words, "--resume", pauses=pauses)
    assert child.status() == 0, child.said()
    assert result(run) == result(undisturbed)


def test_a_second_signal_ends_it_at_once(forked: Children, records: Path, tmp_path: Path) -> None:
    words = training(tmp_path / "run", records, epochs=50)
    child = forked.command(*words, pauses={12: 60})  # nobody waits for such a step
    child.wait_for(12)
    os.kill(child.pid, signal.SIGTERM)
    time.sleep(0.5)
    assert child.is_running(), "the first only asks"
    os.kill(child.pid, signal.SIGHUP)
    time.sleep(0.5)
    assert child.is_running(), "nor is this one a second thought"
    os.kill(child.pid, signal.SIGINT)
    wait_until(child, lambda: not child.is_running(), 20)
    assert child.status() in (130, 143), child.said()
    assert "holds epoch 1; go on with" in child.said(), "nothing within the epoch was saved"
    assert "go on with: pix2pix-ms train" in child.said()
    assert "Traceback" not in child.said()


@pytest.mark.parametrize("compiling", [True, False])
def test_ctrl_c_at_a_terminal_is_answered_while_graphs_compile_and_run(
    compiling: bool, forked: Children, records: Path, tmp_path: Path
) -> None:
    """MindSpore makes SIGTERM of it then; only at a terminal is it told from one that was meant.

    The step's graph compiles right after the untrained network is saved.
    """
    run = tmp_path / "run"
    child = forked.command(*training(run, records, jit=True, epochs=500), terminal=True)
    if compiling:
        wait_until(child, (run / "checkpoints" / "last.ckpt").is_file)
        time.sleep(0.4)
    else:
        child.wait_for(12)
    status, line = child.kill(signal.SIGINT), child.said().splitlines()[-1]
    assert status == 130, child.said()
    assert "Traceback" not in child.said()
    epoch = "0" if compiling else r"\d+( and \d+ steps? more)?"
    assert re.search(rf"last.ckpt holds epoch {epoch}; go on with: pix2pix-ms train ", line), line


def flip(file: Path) -> None:
    """Change a bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("harm", ["flipped", "cut", "missing"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    harm: str, forked: Children, records: Path, undisturbed: Path, copied: Path
) -> None:
    """With a message; the epoch after it is trained again, and the log as it was."""
    last = copied / "checkpoints" / "last.ckpt"
    if harm == "flipped":
        flip(last)
    elif harm == "cut":
        last.write_bytes(last.read_bytes()[:-17])  # just before the checksum
    else:
        last.unlink()
    harmed = last.read_bytes() if last.exists() else b""
    child = forked.command(*training(copied, records, "--resume"))
    assert child.status() == 0, child.said()
    state = "missing" if harm == "missing" else "damaged (it is now damaged.ckpt)"
    assert f"{last} is {state}; the run goes on from previous.ckpt" in child.said()
    assert "epoch 3/3" in child.said()
    assert "epoch 2/3" not in child.said()
    assert result(copied) == result(undisturbed)
    if harmed:
        assert last.with_name("damaged.ckpt").read_bytes() == harmed


def test_two_damaged_checkpoints_are_an_error_and_stay(
    forked: Children, records: Path, copied: Path
) -> None:
    files = [copied / "checkpoints" / f"{name}.ckpt" for name in ("last", "previous")]
    for file in files:
        flip(file)
    before = [file.read_bytes() for file in files]
    child = forked.command(*training(copied, records, "--resume"))
    assert child.failed().startswith(f"error: {files[1]}: expected a MindSpore")
    assert [file.read_bytes() for file in files] == before
