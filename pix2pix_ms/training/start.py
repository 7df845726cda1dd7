"""Starts a training as the command asks for it: finds its settings and opens its data.

Settings that are not given come from the run that is resumed, from a preset, or from the run named
by --from; some, such as the channels, come from the data.
"""

import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pix2pix_ms.config.models import MODELS, preset, refuse_foreign
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.config.settings import Settings
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine import ranks
from pix2pix_ms.machine.device import choose_device
from pix2pix_ms.machine.signals import Stopped
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.epochs import Trainer, ready
from pix2pix_ms.training.run import Run, check_model
from pix2pix_ms.training.task import Task


def start(
    run: Run,
    model: str | None,
    preset_name: str | None,
    data: Path | None,
    resume: bool,
    given: Mapping[str, Any],
    again: str,
    report: Callable[[str], None],
) -> None:
    """Start or resume a run, and report where the results are.

    Args:
        data: records or images; None: procedural ones, or those the run began with.
        given: settings by name; `ranks` is among them if msrun started this process.
        again: the command that resumes the run, for the message of an interruption.
        report: called with one line at a time, by the first rank only.

    Raises:
        Pix2PixError: if settings, folder, device or data do not fit.
        Stopped: on Ctrl-C, SIGTERM or SIGHUP; its message says what is saved and how to resume.
    """
    resuming = resume and run.exists()
    base = base_settings(run, resuming, model, preset_name, given)
    check_given(given, base.model, data)
    task = MODELS[base.model].task_class()
    # Those that the data decide are set when the data are open.
    config = replace(base, **{name: given[name] for name in given if name not in task.decides})
    device = choose_device(config.device)
    if "ranks" in given:
        ranks.join(config.sync_batch_norm)
    say = report if ranks.is_first() else lambda _: None
    height, width = config.shape
    together = f" on {config.ranks} ranks" * (config.ranks > 1)
    say(f"{device}{together}, {width}x{height}, {config.epochs} epochs, run {run.folder}")
    try:
        with ready(run, resume) as signals:
            opened = open_data(run, task, config, data, resuming, say)
            config = replace(config, **{**task.decided(opened, config), **given})
            Trainer(run, config, opened, say).fit(config.epochs, signals)
    except KeyboardInterrupt as stopped:
        words = interruption(run, again) if ranks.is_first() else "interrupted"
        raise Stopped(words, getattr(stopped, "number", signal.SIGINT)) from None
    shown = run.page_file if run.page_file.is_file() else run.sample_file(config.epochs)
    say(f"open {shown}: every epoch's {task.sample_words}; losses, settings")


def check_given(given: Mapping[str, Any], model: str, data: Path | None) -> None:
    """Raise Pix2PixError for settings the model does not have, and for --facades with --data."""
    refuse_foreign(given, model)
    if data is not None and "facades" in given:
        raise Pix2PixError(
            f"facades: expected no number of facades to make where there is --data, found "
            f"{given['facades']} and {data}; leave one of them out"
        )


def open_data(
    run: Run,
    task: type[Task],
    config: Settings,
    data: Path | None,
    resuming: bool,
    say: Callable[[str], None],
) -> Any:
    """Find or make the records that a run trains on, and open them."""
    if resuming and data is None:
        data = Path(run.data()["train"])
        if not data.is_file():
            raise Pix2PixError(
                f"{run.data_file}: expected the record it names, {data}, found none; put it back, "
                "or say with --data where it is"
            )
    with ranks.first_before_others():  # the first makes the records
        made = resuming or not ranks.is_first()
        records = task.records(data, run.folder, config, made)
        opened = task.open_data(records, config)
    if resuming and records != data:
        say(f"{data} was read when the run began; it goes on with {records}")
    return opened


def base_settings(
    run: Run, resuming: bool, model: str | None, preset_name: str | None, given: Mapping[str, Any]
) -> Settings:
    """Return the settings of the resumed run, of the run in --from, or of the preset.

    With --from and a preset: the preset's, except for that run's architecture. A U-Net keeps its
    depth if the size changes.
    """
    place = Path(given["start_from"]) if "start_from" in given else None
    if place is not None and run.folder.resolve() in (place.resolve(), *place.resolve().parents):
        raise Pix2PixError(
            f"{place}: expected another run, found that to train; leave --from out, or change --out"
        )
    if not resuming and place is None:
        return preset(preset_name or "quick", model or Config.model)
    where = run.config_file if resuming or place is None else checkpoints.file_of(place)
    before = run.config() if resuming else checkpoints.load(where)[1]
    check_model(before, model or before.model, where)
    fresh = {"ranks": 1, "sync_batch_norm": False, "device": "auto", "generator_only": False}
    base = before if resuming else replace(before, **fresh)
    if preset_name is not None:
        started_from = not resuming or before.start_from is not None
        same = (*before.architecture, "jitter_size", "start_from") if started_from else ()
        base = preset(preset_name, before.model, **{name: getattr(before, name) for name in same})
    resized = not resuming and given.keys() & {"size", "height", "width"}
    if resized and isinstance(before, Config) and before.generator == "unet":
        base = replace(base, levels=before.depth)
    return base


def interruption(run: Run, again: str) -> str:
    """Return the message of an interrupted run: what is saved, and how to resume."""
    if run.saved is None:
        begun = run.last.is_file() or run.previous.is_file()
        return (
            f"interrupted before it went on; go on with: {again}"
            if begun
            else f"interrupted before the first checkpoint; start again with: {again}"
        )
    checkpoint, position = run.saved
    steps = len(position.get("losses", ()))
    more = f" and {steps} step{'s' * (steps > 1)} more" if steps else ""
    place = f"{checkpoint} holds epoch {position['epoch']}{more}"
    return f"interrupted; {place}; go on with: {again}"
