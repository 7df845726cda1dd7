"""How the command reports: an error is one line and an exit status."""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from pix2pix_ms.errors import Pix2PixError, first_line
from pix2pix_ms.machine.signals import interruptible

SIGNALLED = 128  # and the signal's number, as shells report it


class Friendly(click.Group):
    """Shows an expected error as one line, and any traceback only with --debug."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command and turn errors into an exit status."""
        try:
            with interruptible():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except (Exception, KeyboardInterrupt) as error:
            if ctx.params.get("debug"):
                raise
            complain(in_words(error))
            interrupted = isinstance(error, KeyboardInterrupt)
            number = getattr(error, "number", signal.SIGINT)
            ctx.exit(SIGNALLED + number if interrupted else 1)


def in_words(error: BaseException) -> str:
    """Return an error's message: what was expected, what was found, and what to do."""
    if isinstance(error, KeyboardInterrupt):
        return str(error) or "interrupted"
    if isinstance(error, Pix2PixError):
        return str(error)
    if isinstance(error, MemoryError):
        found = first_line(error) or "too little"
        return f"not enough memory for these settings ({found}); take smaller ones"
    if not isinstance(error, OSError):
        return f"unexpected {type(error).__name__}: {first_line(error)} (see --debug)"
    if error.filename is None and error.errno in (errno.ENOSPC, errno.EPIPE):
        return unwritten(error)  # a command's help
    remedy = "see that there is room, and the permission"
    if isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError):
        remedy = "a file is where a folder should be, or the other way round: choose another place"
    elif isinstance(error, FileNotFoundError):
        remedy = "put it back, or check the path"
    place = error.filename or "a file"
    return f"{place}: expected to read or write it, found: {error.strerror or error}; {remedy}"


def unwritten(error: OSError) -> str:
    """Return the message of an error at standard output, which has no file name."""
    found = error.strerror or error
    return f"standard output: expected to write to it, found: {found}; send it elsewhere"


def complain(message: str) -> None:
    """Print an error as one line, with escapes for unprintable characters, as in file names."""
    line = "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in message
    )
    with suppress(OSError):  # the terminal may be closed
        click.echo(f"error: {line}", err=True)


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    try:
        click.echo(line)
    except OSError as error:
        raise Pix2PixError(unwritten(error)) from error


@contextmanager
def settled() -> Iterator[None]:
    """Run a command and exit with its status, also where its output cannot be written."""
    open_streams()
    try:
        if (reason := unfit()) is not None:
            complain(reason)
            sys.exit(1)
        yield
    except OSError as error:  # while printing the help
        complain(unwritten(error))
        sys.exit(1)
    except SystemExit as end:
        if isinstance(end.code, int) and end.code > SIGNALLED:
            flush()
            os._exit(end.code)  # MindSpore (2.8), half imported, crashes at a regular exit
        raise
    finally:
        flush()


def unfit() -> str | None:
    """Return why no command can run here, if so."""
    if sys.platform == "win32":
        return "Windows: expected Linux or macOS, for their signals and locks; use it in WSL 2"
    try:
        Path.cwd()
    except FileNotFoundError:  # MindSpore (2.8) crashes while it is imported
        return "working folder: expected one that exists, found it deleted; change to another"
    return None


def open_streams() -> None:
    """Open closed streams, and escape characters that a terminal cannot show.

    A file would otherwise get the number of a closed stream, and MindSpore would print into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest number
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error has it


def flush() -> None:
    """Flush both streams; where that fails, drop the rest, so that Python does not complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
