"""How the command reports errors, the options its commands share, its standard streams."""

import os
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from io import TextIOWrapper
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin

import click

from pix2pix_ms.config.models import MODELS
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.config.settings import Direction, Settings
from pix2pix_ms.errors import Pix2PixError, first_line
from pix2pix_ms.machine.signals import interruptible

Command = TypeVar("Command", bound=Callable[..., Any])
SIGNALLED = 128  # and the signal's number, as shells report it


class Place(click.Path):
    """A path that MindSpore can open, and that somebody meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what is no UTF-8, and the empty path of a shell's variable that was never set."""
        if value == "":  # which would be the current folder
            self.fail("expected a path, found an empty one; name a place, or leave it out")
        if any(unicodedata.category(sign) == "Cs" for sign in str(value)):
            self.fail(f"expected a path in UTF-8, found {str(value)!a}; rename it")
        return super().convert(value, param, ctx)


PATH = Place(path_type=Path)
FILE = Place(path_type=Path, dir_okay=False)
NAMED = Place(path_type=str)


class Told(click.Command):
    """A command that tells where nobody takes its help."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words after it, among which --help is answered."""
        with taken():
            return super().parse_args(ctx, args)


class Friendly(click.Group):
    """Shows an expected error as one line, and any traceback only with --debug."""

    command_class = Told

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words before the command's name likewise."""
        try:
            with taken():
                return super().parse_args(ctx, args)
        except Pix2PixError as error:
            self.fail(ctx, str(error), 1)

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
            self.fail(ctx, str(error), 1)
        except OSError as error:
            place = error.filename or "a file"
            found = f"{error.strerror or error}; {remedy(error)}"
            self.fail(ctx, f"{place}: expected to read or write it, found: {found}", 1)
        except MemoryError as error:
            found = first_line(error) or "too little"
            words = f"not enough memory for these settings ({found}); take smaller ones"
            self.fail(ctx, words, 1)
        except Exception as error:
            words = f"unexpected {type(error).__name__}: {first_line(error)} (see --debug)"
            self.fail(ctx, words, 1)

    @staticmethod
    def fail(ctx: click.Context, message: str, status: int) -> NoReturn:
        """Print one line and leave, or let the exception pass with --debug."""
        if ctx.params.get("debug"):
            raise  # noqa: PLE0704  (called while an exception is handled)
        with suppress(OSError):  # the terminal may be gone
            click.echo(f"error: {escaped(message)}", err=True)
        ctx.exit(status)


def seed_or_each(text: str) -> Any:
    """Read a seed, or the word each."""
    return text if text == "each" else click.IntRange(0).convert(text, None, None)  # type: ignore


def remedy(error: OSError) -> str:
    """Say what to do about a file that cannot be read or written."""
    if isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError):
        return "a file stands where a folder should, or the other way round: choose another place"
    if isinstance(error, FileNotFoundError):
        return "put it back, or check the path"
    return "see that there is room, and the permission"


def model_options(command: Command) -> Command:
    """Add an option for every setting of every model; not given, it is None.

    The help shows pix2pix's default, and whose setting it is where it is not pix2pix's.
    """
    owners: dict[str, list[type[Settings]]] = {}
    for model in MODELS.values():
        for entry in fields(model.config):
            owners.setdefault(entry.name, []).append(model.config)
    del owners["ranks"], owners["start_from"]  # which msrun decides, and --from
    for name in reversed(owners):
        command = option_of(name, owners[name])(command)
    return command


def config_options(base: Config, *names: str) -> Callable[[Command], Command]:
    """Add an option for each field of pix2pix's config that is named; not given, it is None.

    `base` has the values the help shows.
    """

    def add(command: Command) -> Command:
        for name in reversed(names):
            command = config_option(name, getattr(base, name))(command)
        return command

    return add


def config_option(name: str, default: object) -> Callable[[Command], Command]:
    """Return what adds the option of one field; the help shows `default`, a value or words."""
    return option_of(name, [Config], default)


def option_of(
    name: str, owners: Sequence[type[Settings]], default: object = None
) -> Callable[[Command], Command]:
    """Return what adds the option of a setting that these models have."""
    entries = [entry for owner in owners for entry in fields(owner) if entry.name == name]
    kinds = [kind for kind in (option_kind(entry.type) for entry in entries) if kind is not None]
    if not kinds:
        return lambda command: command  # the data decide it alone
    kind = kinds[0]
    if isinstance(kind, click.Choice):  # a model's own choices are checked with its settings
        kind = click.Choice(list(dict.fromkeys(word for each in kinds for word in each.choices)))
    flag = name.replace("_", "-")
    names = f"--{flag}/--no-{flag}" if kind is bool else f"--{flag}"
    shown = entries[0].default if default is None else default
    whose = "" if Config in owners else f"{', '.join(owner.model for owner in owners)}: "
    text = f"{whose}{entries[0].metadata['help']} [{shown}]"
    return click.option(names, name, type=kind, default=None, help=text)


def option_kind(annotation: Any) -> Any:
    """Return click's type for a field's annotation; None where there is none."""
    if get_origin(annotation) is Literal:
        return click.Choice(get_args(annotation))
    if isinstance(annotation, UnionType):  # `int | None`: not given is None
        return next(kind for kind in get_args(annotation) if kind is not type(None))
    return annotation if isinstance(annotation, type) and get_origin(annotation) is None else None


mode_option = click.option(
    "--mode",
    type=click.Choice(["paper", "eval"]),
    help="paper: the image's own statistics, dropout on; eval: moving statistics, dropout off "
    "[paper].",
)
direction_option = click.option(
    "--direction",
    type=click.Choice(get_args(Direction)),
    help="Which of cyclegan's two generators [as it was trained with].",
)
device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, CPU, GPU or Ascend."
)


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
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def settle_streams() -> None:
    """Flush both streams; where that fails, drop the rest, so that Python does not complain."""
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
    """Report a standard output that cannot be written as such, not as some file."""
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
