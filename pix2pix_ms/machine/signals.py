"""Ctrl-C that can be answered: MindSpore, left alone, ends the process without a word."""

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
    """A signal was answered; `number` says which. Training has saved first what it could."""

    def __init__(self, message: str = "", number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.number = number


class Handler:
    """What SIGINT, SIGTERM and SIGHUP do: raise Stopped, a KeyboardInterrupt.

    Where it is `patient` the first is only noted, for a loop that looks after each of its steps; so
    is every SIGHUP, for a terminal that is closed may send two.
    While a graph runs, Ctrl-C arrives as SIGTERM (see `interruptible`); so at a terminal, where it
    is what people press, SIGTERM is noted as Ctrl-C, and elsewhere Ctrl-C may be noted as SIGTERM.
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
    """Let Ctrl-C, or a kill that may be caught, raise KeyboardInterrupt in this block.

    While it compiles or runs a graph MindSpore (2.7 to 2.10) replaces the handler of SIGINT by
    one that sends the process SIGTERM, whose default is to end it on the spot. Handling SIGTERM too
    holds while a graph compiles or runs. A terminal that is closed, or a connection that ends,
    sends SIGHUP, which is handled too unless it is ignored, as nohup has it. Afterwards all do what
    they did before. A block within another has its handler, and leaves it as patient as it was.
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
        if handler.raised is not None:  # what MindSpore's compiler or dataset made of it
            raise Stopped(number=handler.raised) from error
        raise
    finally:
        handler.patient = patient
        for number, former in before.items():
            signal.signal(number, former if former is not None else signal.SIG_DFL)
    swallowed, handler.raised = handler.raised, raised
    if swallowed is not None:  # in Python that MindSpore's compiler called
        raise Stopped(number=swallowed)


def compiled(function: Callable[..., Any], config: Settings) -> Callable[..., Any]:
    """Return what runs a function as a graph, or as it is without `config.jit`; interruptible.

    Pass a newly defined function: a compiled graph keeps each network's mode, training or not, from
    compilation.
    """
    from mindspore import jit

    run = jit(function) if config.jit else function

    @wraps(function)
    def call(*given: Any) -> Any:
        with interruptible():
            return run(*given)

    return call
