"""Signals raise KeyboardInterrupt; MindSpore by itself ends the process without a message."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any

from pix2pix_ms.config.settings import Settings

HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none
SIGNALS = (signal.SIGINT, signal.SIGTERM, *filter(None, [HANGUP]))


class Stopped(KeyboardInterrupt):
    """Raised by the signal `number`; a training has saved what it could."""

    def __init__(self, message: str = "", number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.number = number

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints of an interrupted cell: one line."""
        return [f"interrupted: {self}" if str(self) else "interrupted"]


class Handler:
    """Raises Stopped, a KeyboardInterrupt, at SIGINT, SIGTERM and SIGHUP.

    If it is `patient` it only notes the first, for a loop that checks after each of its steps, and
    every SIGHUP, as a closed terminal may send two.
    While a graph runs, Ctrl-C arrives as SIGTERM (see `interruptible`). So SIGTERM counts as Ctrl-C
    at a terminal, where people press it; elsewhere Ctrl-C may count as SIGTERM.
    """

    def __init__(self) -> None:
        self.patient = False
        self.noted: int | None = None
        self.raised: int | None = None

    def __call__(self, number: int, _: FrameType | None) -> None:
        meant = signal.SIGINT if number == signal.SIGTERM and os.isatty(0) else number
        if self.patient and (self.noted is None or number == HANGUP):
            self.noted = self.noted or meant
            return
        self.raised = meant
        raise Stopped(number=meant)


@contextmanager
def interruptible() -> Iterator[Handler]:
    """Let Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt in this block.

    While it compiles or runs a graph, MindSpore (2.7 to 2.10) replaces the handler of SIGINT by one
    that sends the process SIGTERM, which would end it at once; so SIGTERM is handled too. A closed
    terminal or connection sends SIGHUP, which is handled unless it is ignored, as under nohup.
    Afterwards the former handlers are restored. A nested block uses the outer block's handler, and
    restores its patience.
    """
    if threading.current_thread() is not threading.main_thread():
        yield Handler()  # signals belong to the main thread
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    if before.get(HANGUP) == signal.SIG_IGN:
        del before[HANGUP]
    outer = before[signal.SIGTERM]
    handler = outer if isinstance(outer, Handler) else Handler()
    patient, raised = handler.patient, handler.raised
    handler.raised = None
    for number in before:
        signal.signal(number, handler)
    try:
        yield handler
    except Exception as error:
        if handler.raised is not None:  # MindSpore's compiler or dataset turned it into another
            raise Stopped(number=handler.raised) from error
        raise
    finally:
        handler.patient = patient
        for number, former in before.items():
            signal.signal(number, former if former is not None else signal.SIG_DFL)
    swallowed, handler.raised = handler.raised, raised
    if swallowed is not None:  # it was raised in Python that MindSpore's compiler called
        raise Stopped(number=swallowed)


def compiled(function: Callable[..., Any], config: Settings) -> Callable[..., Any]:
    """Return a function compiled to a graph, or as it is without `config.jit`; interruptible.

    Pass a newly defined function: in a compiled graph a network stays in the mode, training or not,
    that it had at compilation.
    """
    from mindspore import jit

    run = jit(function) if config.jit else function

    @wraps(function)
    def call(*given: Any) -> Any:
        with interruptible():
            return run(*given)

    return call
