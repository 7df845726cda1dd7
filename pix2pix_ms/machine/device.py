"""Which device computes."""

from contextlib import suppress
from typing import get_args

import mindspore as ms

from pix2pix_ms.config.settings import Device, check_choice
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.process import wait_asleep

TARGETS = get_args(Device)[1:]  # in the order in which auto prefers them


def choose_device(name: str = "auto") -> str:
    """Select the device MindSpore computes on and return its name: Ascend, GPU or CPU.

    `auto` takes the first of them this machine has.

    Raises:
        Pix2PixError: if the name is unknown, the machine lacks that device, or MindSpore has
            already computed on another in this process.
    """
    check_choice("device", Device, name)
    present = [target for target in TARGETS if is_present(target)]
    chosen = present[0] if name == "auto" else name
    if chosen not in present:
        raise Pix2PixError(
            f"device: expected {chosen}, found only {', '.join(present)} on this machine; "
            "choose one of these, or auto"
        )
    if chosen == "CPU":
        wait_asleep()  # also where there is an accelerator that is not to be used
    if ms.get_context("device_target") == chosen:
        return chosen
    try:
        ms.set_device(chosen)
    except RuntimeError as error:
        raise Pix2PixError(
            f"device: expected to choose {chosen} before MindSpore computes, found it running on "
            f"{ms.get_context('device_target')}; start a new process"
        ) from error
    return chosen


def computes_on_cpu() -> bool:
    """Return whether to use what is faster on a CPU alone."""
    return str(ms.get_context("device_target")) == "CPU"


def is_present(target: str) -> bool:
    """Return whether MindSpore can compute on `target` here."""
    if target == "CPU":
        return True
    with suppress(RuntimeError, ValueError):
        return bool(ms.hal.is_available(target)) and ms.hal.device_count(target) > 0
    return False
