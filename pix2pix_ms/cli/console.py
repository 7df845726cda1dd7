"""How the command reports: errors as one line, an exit status, standard streams as they come."""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import Any, NoReturn

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
        except KeyboardInterrupt as interrupted:
            number = getattr(interrupted, "number", signal.SIGINT)
            self.fail(ctx, str(interrupted) or "interrupted", SIGNALLED + number)
        except Pix2PixError as error:
            self.fail(ctx, str(error))
        except OSError as error:
            if error.filename is None and error.errno in (errno.ENOSPC, errno.EPIPE):
                self.fail(ctx, unwritten(error))  # a command's help
            found = f"{error.strerror or error}; {remedy(error)}"
            place = error.filename or "a file"
            self.fail(ctx, f"{place}: expected to read or write it, found: {found}")
        except MemoryError as error:
            found = first_line(error) or "too little"
            self.fail(ctx, f"not enough memory for these settings ({found}); take smaller ones")
        except Exception as error:
            self.fail(ctx, f"unexpected {type(error).__name__}: {first_line(error)} (see --debug)")

    @staticmethod
    def fail(ctx: click.Context, message: str, status: int = 1) -> NoReturn:
        """Print one line and leave, or let the exception pass with --debug."""
        if ctx.params.get("debug"):
            raise  # noqa: PLE0704  (called while an exception is handled)
        complain(message)
        ctx.exit(status)


def complain(message: str) -> None:
    """Print an error as one line, with escapes for what cannot be printed, as file names have."""
    line = "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in message
    )
    with suppress(OSError):  # the terminal may be gone
        click.echo(f"error: {line}", err=True)


def remedy(error: OSError) -> str:
    """Say what to do about a file that cannot be read or written."""
    if isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError):
        return "a file stands where a folder should, or the other way round: choose another place"
    if isinstance(error, FileNotFoundError):
        return "put it back, or check the path"
    return "see that there is room, and the permission"


def say(line: str) -> None:
    """Print a line at once, also into a pipe.

    Raises:
        Pix2PixError: if it cannot be written.
    """
    try:
        click.echo(line)
    except OSError as error:
        raise Pix2PixError(unwritten(error)) from error


def unwritten(error: OSError) -> str:
    """Say that standard output cannot be written: it has no name, as files have."""
    found = error.strerror or error
    return f"standard output: expected to write to it, found: {found}; send it elsewhere"


@contextmanager
def streams() -> Iterator[None]:
    """Run a command whatever its standard streams are; its exit status is that of the process."""
    prepare_streams()
    try:
        yield
    except OSError as error:  # of the help, or unseen of click's words on standard error
        complain(unwritten(error))
        sys.exit(1)
    except SystemExit as end:
        if isinstance(end.code, int) and end.code > SIGNALLED:
            settle_streams()
            os._exit(end.code)  # MindSpore (2.8), half imported, does not survive a proper end
        raise
    finally:
        settle_streams()


def prepare_streams() -> None:
    """Open closed streams, and escape characters that a terminal cannot show.

    A file would otherwise be opened under the number of a closed stream, and what MindSpore prints
    be written into it.
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


def settle_streams() -> None:
    """Flush both streams; where that fails, drop the rest, so that Python does not complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
