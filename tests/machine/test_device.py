import signal
from contextlib import suppress

import mindspore as ms
import numpy as np
import pytest

from pix2pix_ms.machine import device
from pix2pix_ms.machine.randomness import Stream, random
from pix2pix_ms.machine.signals import SIGNALS, interruptible
from tests.runs import refused


def test_auto_takes_the_first_present(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[str] = []
    monkeypatch.setattr(ms, "set_device", chosen.append)
    monkeypatch.setattr(ms, "get_context", lambda _: "none yet")
    for present in (("CPU",), ("GPU", "CPU"), ("Ascend", "GPU", "CPU")):
        monkeypatch.setattr(device, "is_present", present.__contains__)
        assert device.choose_device() == present[0]
    assert chosen == ["CPU", "GPU", "Ascend"]


def test_absent_and_unknown_devices_say_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "is_present", ("CPU",).__contains__)
    with refused("expected Ascend, found only CPU on this machine"):
        device.choose_device("Ascend")
    with refused("expected one of auto, Ascend, GPU, CPU, found 'TPU'"):
        device.choose_device("TPU")


def test_a_device_chosen_too_late_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "is_present", ("GPU", "CPU").__contains__)
    ms.Tensor([1.0]).abs().asnumpy()
    with refused("expected to choose GPU before MindSpore computes"):
        device.choose_device("GPU")


def test_streams_and_positions_are_independent_and_repeatable() -> None:
    def draw(*key: int) -> bytes:
        return random(key[0], Stream(key[1]), *key[2:]).bytes(64)

    keys = [(0, 0), (1, 0), (0, 1), (0, 1, 1), (0, 1, 2), (0, 1, 1, 2)]
    draws = [draw(*key) for key in keys]
    assert len(set(draws)) == len(keys)
    assert draws == [draw(*key) for key in keys]
    assert np.frombuffer(draws[0], np.uint8).std() > 0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_swallowed_interruption_is_raised_at_the_end(number: int) -> None:
    """As happens to one that arrives while MindSpore's compiler has called Python."""
    before = signal.signal(number, signal.SIG_DFL)  # under nohup, SIGHUP is ignored
    try:
        with pytest.raises(KeyboardInterrupt), interruptible(), suppress(KeyboardInterrupt):
            signal.raise_signal(number)
        assert signal.getsignal(number) == signal.SIG_DFL
        if number == signal.SIGHUP:  # as nohup has it
            signal.signal(number, signal.SIG_IGN)
            with interruptible():
                signal.raise_signal(number)
            assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_an_interruption_wrapped_in_another_error_is_raised() -> None:
    """As where MindSpore's compiler or dataset turns what it was told into an error of its own."""

    def wrapped() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as interrupted:
            raise RuntimeError("a pipeline was terminated") from interrupted

    with pytest.raises(KeyboardInterrupt), interruptible():
        wrapped()
    with pytest.raises(RuntimeError, match="of its own"), interruptible():
        raise RuntimeError("of its own")
