import signal
from contextlib import suppress

import mindspore as ms
import numpy as np
import pytest

from pix2pix_ms import device
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.interrupt import interruptible


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
    with pytest.raises(Pix2PixError, match="expected Ascend, found only CPU on this machine"):
        device.choose_device("Ascend")
    with pytest.raises(Pix2PixError, match="expected one of auto, Ascend, GPU, CPU, found 'TPU'"):
        device.choose_device("TPU")


def test_a_device_chosen_too_late_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "is_present", ("GPU", "CPU").__contains__)
    ms.Tensor([1.0]).abs().asnumpy()
    with pytest.raises(Pix2PixError, match="expected to choose GPU before MindSpore computes"):
        device.choose_device("GPU")


def test_this_machine_has_a_cpu() -> None:
    assert device.choose_device("CPU") == "CPU"


def test_streams_and_positions_are_independent_and_repeatable() -> None:
    def draw(*key: int) -> bytes:
        return device.random(key[0], device.Stream(key[1]), *key[2:]).bytes(64)

    keys = [(0, 0), (1, 0), (0, 1), (0, 1, 1), (0, 1, 2), (0, 1, 1, 2)]
    draws = [draw(*key) for key in keys]
    assert len(set(draws)) == len(keys)
    assert draws == [draw(*key) for key in keys]
    assert np.frombuffer(draws[0], np.uint8).std() > 0


class Clock:
    """Virtual time, and a graph on it that is computed in the background."""

    def __init__(self) -> None:
        self.now = self.asleep = self.spun = self.ready = 0.0
        self.takes = 1.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now, self.asleep = self.now + seconds, self.asleep + seconds

    def graph(self) -> tuple["Clock"]:
        self.ready = self.now + self.takes
        return (self,)

    def asnumpy(self) -> np.ndarray:
        waited = max(0.0, self.ready - self.now)
        self.now, self.spun = self.now + waited, self.spun + waited
        return np.zeros(1)


def test_results_are_awaited_asleep_but_not_overslept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(device, "time", clock)
    call = device.Patient(clock.graph)

    def calls(count: int) -> tuple[float, float]:
        before = clock.asleep, clock.spun
        for _ in range(count):
            call()
        return clock.asleep - before[0], clock.spun - before[1]

    clock.takes = 30.0  # it compiles
    assert calls(1) == (0.0, 30.0)
    clock.takes = 1.0
    calls(1)
    asleep, spun = calls(10)
    assert asleep == pytest.approx(9.0)
    assert spun == pytest.approx(1.0)
    clock.takes = 0.2  # the machine has become faster
    calls(12)
    asleep, spun = calls(10)
    assert asleep + spun == pytest.approx(2.0, rel=0.1)


def test_the_waiting_changes_no_result() -> None:
    def graph(x: ms.Tensor) -> tuple[ms.Tensor]:
        return (x * 2,)

    call = device.Patient(ms.jit(graph))
    for number in range(5):
        (found,) = call(ms.Tensor([float(number)]))
        assert found == [2.0 * number]


def test_an_interruption_that_was_swallowed_is_raised_after_all() -> None:
    """As happens to one that arrives while MindSpore's compiler has called Python."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    for number in (signal.SIGINT, signal.SIGTERM):
        with pytest.raises(KeyboardInterrupt), interruptible(), suppress(KeyboardInterrupt):
            signal.raise_signal(number)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
