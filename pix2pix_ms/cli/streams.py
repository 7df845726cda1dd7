"""The command's standard streams, which whoever starts it may close, fill or leave behind."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper

import click

from pix2pix_ms.errors import Pix2PixError


def prepare_streams() -> None:
    """Open what is closed, and tell in escapes what a terminal cannot show.

    A file would otherwise be opened under the number of a closed stream, and what MindSpore prints
    be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest number
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def settle_streams() -> None:
    """Write out what is still to be written; where that fails, drop it, lest Python says so."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say(line: str) -> None:
    """Print a line at once, also into a pipe.

    Raises:
        Pix2PixError: if nobody takes it.
    """
    with taken():
        click.echo(line)


@contextmanager
def taken() -> Iterator[None]:
    """Tell standard output that takes nothing from other places that cannot be written."""
    try:
        yield
    except OSError as error:
        found = error.strerror or error
        raise Pix2PixError(
            f"standard output: expected to write to it, found: {found}; send it elsewhere"
        ) from error


def escaped(line: str) -> str:
    """Return a line with what is no letter or sign, as names of files may have it, in escapes."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in line
    )
