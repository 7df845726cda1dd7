"""Ctrl-C that can be answered: MindSpore, left alone, ends the process without a word."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C, or a kill that may be caught, raise KeyboardInterrupt in this block.

    With every graph it compiles MindSpore (2.7 to 2.10) replaces the handler of SIGINT by one
    that sends the process SIGTERM, whose default is to end it on the spot. Handling SIGTERM too
    holds while a graph compiles or runs. Afterwards both signals do what they did before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to the main thread
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in signals}
    pressed: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    for number in signals:
        signal.signal(number, interrupt)
    try:
        yield
    except Exception as error:
        if pressed:  # what MindSpore's compiler or dataset made of it on the way up
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
    if pressed:  # raised in Python that MindSpore's compiler called, and swallowed there
        raise KeyboardInterrupt
