"""The command's arguments and options, made from signatures and from settings."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import click

from pix2pix_ms.config import settings
from pix2pix_ms.config.models import MODELS
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.config.settings import Settings

Function = Callable[..., Any]


class Place(click.Path):
    """A path that MindSpore can open."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what is not UTF-8, and an empty path, as of an unset shell variable."""
        if value == "":  # it would be the current folder
            self.fail("expected a path, found an empty one; name a place, or leave it out")
        if any(unicodedata.category(sign) == "Cs" for sign in str(value)):
            self.fail(f"expected a path in UTF-8, found {str(value)!a}; rename it")
        return super().convert(value, param, ctx)


PATH = Place(path_type=Path)
Mode = Annotated[
    Literal["paper", "eval"] | None,
    "paper: the image's own statistics, dropout on; eval: moving statistics, dropout off [paper].",
]
Direction = Annotated[settings.Direction | None, "Which of cyclegan's two generators [as trained]."]
Device = Annotated[str, "auto, CPU, GPU or Ascend."]
Best = Annotated[bool, "The best of a run, as --keep-best has kept it, not the last."]
Force = Annotated[bool, "Replace what is there."]
FROM = {"flag": "--from", "type": Place(path_type=str)}  # the settings have it as text
AT_LEAST_0, AT_LEAST_1 = {"type": click.IntRange(0)}, {"type": click.IntRange(1)}
PORT = {"type": click.IntRange(0, 65535)}


def declared(group: click.Group, *settings: click.Option) -> Callable[[Function], click.Command]:
    """Return a decorator that makes a function a command of a group.

    Parameters before the `*` are arguments. Those after it are options, required unless they have a
    default, and annotated with `Annotated[type, help]`. A dictionary after the help has more
    keywords of `click.Option`, or another `flag`. `**settings` are only those that are given.
    """

    def declare(function: Function) -> click.Command:
        named = {n: p for n, p in signature(function).parameters.items() if p.kind != p.VAR_KEYWORD}

        @wraps(function)
        def call(**values: Any) -> None:
            function(**{n: value for n, value in values.items() if n in named or value is not None})

        return group.command(params=[*map(parameter_of, named.values()), *settings])(call)

    return declare


def parameter_of(parameter: Parameter) -> click.Parameter:
    """Return an option or an argument; an argument that is a tuple takes one word or more."""
    name, default = parameter.name, parameter.default
    if parameter.kind != parameter.KEYWORD_ONLY:
        (kind, *several) = get_args(parameter.annotation) or [parameter.annotation]
        return click.Argument(
            [name], type=click_type(kind), nargs=-1 if several else 1, required=True
        )
    kind, text, *more = get_args(parameter.annotation)
    keywords: dict[str, Any] = {"type": click_type(kind), "help": text, **dict(*more)}
    flag = keywords.pop("flag", f"--{name.replace('_', '-')}")
    if default is parameter.empty:
        return click.Option([flag, name], required=True, **keywords)
    flagged = kind is bool
    shown = default is not None and not flagged
    return click.Option(
        [flag, name], default=default, is_flag=flagged, show_default=shown, **keywords
    )


def model_options() -> list[click.Option]:
    """Return an option for every setting of every model.

    The help shows pix2pix's default, and names the models where it is not a setting of pix2pix.
    """
    owners: dict[str, list[type[Settings]]] = {}
    for model in MODELS.values():
        for entry in fields(model.config):
            owners.setdefault(entry.name, []).append(model.config)
    for name in ("ranks", "start_from", "domains"):  # set by msrun, by --from, by the data
        del owners[name]
    return [setting_option(name, models) for name, models in owners.items()]


def config_options(**defaults: Any) -> list[click.Option]:
    """Return options for these settings of pix2pix; the help shows the defaults."""
    return [setting_option(name, [Config], default) for name, default in defaults.items()]


def setting_option(
    name: str, owners: Sequence[type[Settings]], default: object = None
) -> click.Option:
    """Return the option of a setting that these models have; it is None unless given."""
    entries = [entry for owner in owners for entry in fields(owner) if entry.name == name]
    kinds = [click_type(entry.type) for entry in entries]
    kind = kinds[0]
    if isinstance(kind, click.Choice):  # of all models; the settings check each model's own
        kind = click.Choice(list(dict.fromkeys(word for each in kinds for word in each.choices)))
    flag = name.replace("_", "-")
    names = f"--{flag}/--no-{flag}" if kind is bool else f"--{flag}"
    shown = entries[0].default if default is None else default
    whose = "" if Config in owners else f"{', '.join(owner.model for owner in owners)}: "
    text = f"{whose}{entries[0].metadata['help']} [{shown}]"
    return click.Option([names, name], type=kind, default=None, help=text)


def click_type(annotation: Any) -> Any:
    """Return click's type for an annotation, or None."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if type(None) in parts:  # `int | None`
        return click_type(parts[0])
    if origin is Literal:
        return click.Choice(parts)
    if origin is tuple and Ellipsis not in parts:
        return parts
    return PATH if annotation is Path else annotation if isinstance(annotation, type) else None
