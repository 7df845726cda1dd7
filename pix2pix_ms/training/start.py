"""From what a user asks for to a training: which run, which settings, on which data.

What is not given comes from the run that is resumed, else from a preset or from what the run starts
with; what the data decide comes from them.
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
    """Start a run or go on with it, and say where to look.

    Args:
        data: records or images; None for those that the model makes, or that the run began with.
        given: settings by name; with `ranks` among them this is one of so many, started by msrun.
        again: the command to go on with, for an interruption to name.
        report: called with a line at a time; of ranks, by the first alone.

    Raises:
        Pix2PixError: if settings, folder, device or data do not suit.
        Stopped: at Ctrl-C, SIGTERM or SIGHUP, saying what is saved and how to go on.
    """
    resuming = resume and run.exists()
    base = base_settings(run, resuming, model, preset_name, given)
    check_given(given, base.model, data)
    task = MODELS[base.model].task_class()
    # Settings that the data decide are checked against them once they are there.
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
    say(f"open {run.sample_file(config.epochs)}: {task.sample_words}")


def check_given(given: Mapping[str, Any], model: str, data: Path | None) -> None:
    """Refuse settings that the model does not have, and a number of facades beside other data."""
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
    """Make or find the records that a run trains on, and open them as its task does."""
    if resuming and data is None:
        data = records_of(run)
    with ranks.first_before_others():  # the others then find the records
        made = resuming or not ranks.is_first()
        records = task.records(data, run.folder, config, made)
        opened = task.open_data(records, config)
    if resuming and records != data:
        say(f"{data} was read when the run began; it goes on with {records}")
    return opened


def records_of(run: Run) -> Path:
    """Return the record that a run began with."""
    place = Path(run.data()["train"])
    if not place.is_file():
        raise Pix2PixError(
            f"{run.data_file}: expected the record it names, {place}, found none; put it back, or "
            "say with --data where it is"
        )
    return place


def base_settings(
    run: Run, resuming: bool, model: str | None, preset_name: str | None, given: Mapping[str, Any]
) -> Settings:
    """Return the base settings: those of the resumed run, of the run in --from, or of the preset.

    With --from and a preset, the preset's with that run's architecture. The U-Net keeps its depth.
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
    base = before if resuming else replace(before, ranks=1, sync_batch_norm=False, device="auto")
    if preset_name is not None:
        same = (*before.architecture, "jitter_size", "start_from")
        same *= not resuming or before.start_from is not None
        base = preset(preset_name, before.model, **{name: getattr(before, name) for name in same})
    resized = not resuming and given.keys() & {"size", "height", "width"}
    if resized and isinstance(before, Config) and before.generator == "unet":
        base = replace(base, levels=before.depth)
    return base


def interruption(run: Run, again: str) -> str:
    """Say what an interrupted run leaves behind and how to go on."""
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
