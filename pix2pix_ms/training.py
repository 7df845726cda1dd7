"""Epochs: schedule, log, samples, checkpoints, and going on where a run stopped.

A run is a folder. Its `checkpoints/last.ckpt` is written last in every epoch, so whatever
interrupts a run, it goes on from a whole epoch, to the bit as if it had never stopped. What is
trained, and on what, is a task's to know (`tasks/task.py`).
"""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pix2pix_ms import checkpoints, distributed
from pix2pix_ms.device import choose_device
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.figures import LogRow
from pix2pix_ms.interrupt import interruptible
from pix2pix_ms.mixed_precision import account, accounting
from pix2pix_ms.models import MODELS
from pix2pix_ms.run import Run, check_run
from pix2pix_ms.settings import Settings
from pix2pix_ms.tasks.task import Data, Model, Task


def train(
    config: Settings,
    data: Data,
    folder: Path,
    resume: bool = False,
    stop_after: int | None = None,
    report: Callable[[str], None] = print,
) -> Run:
    """Train a model and leave a run folder: config, log, samples, loss plot, checkpoints.

    Of ranks that train together each calls this alike; the first writes and reports.

    Args:
        config: the settings of the model.
        data: what to train on and what to hold out, as the model's task opens it.
        resume: go on with the run in `folder`; where there is none, start it.
        stop_after: end after this epoch as if interrupted there; the schedule does not change.
        report: called with a line an epoch.

    Raises:
        Pix2PixError: if the folder holds another run, the device is not there, or the data cannot
            be read.
        KeyboardInterrupt: at Ctrl-C; the run can be resumed from its last whole epoch.
    """
    run = Run(folder)
    check_run(run, config, resume, data.fingerprint)
    choose_device(config.device)
    distributed.check_ranks(config)
    distributed.agree("settings or data", config.to_json() + data.fingerprint)
    with interruptible():
        task: Task = MODELS[config.model].task_class()(config, data)
        log = resumed(run, task.model, config)
        if log:
            for line in config.changed_since(run.config(), len(log)):
                report(line)
        distributed.broadcast(task.model.parameters().values())
        last = config.epochs if stop_after is None else stop_after
        if distributed.is_first():
            run.begin(config, data.identity())
            report(data.description)
        for epoch in range(len(log), last + 1):
            task.begin_epoch(epoch)
            began = time.perf_counter()
            losses = train_epoch(task, epoch) if epoch else [math.nan] * len(task.losses)
            losses = distributed.mean(losses)
            seconds = time.perf_counter() - began
            if distributed.is_first():
                row = log_row(task.columns(), epoch, task.model, losses, task.measure(), seconds)
                log.append(row | accounting(task.model.parameters()))
                keep(run, task, log)
                report(epoch_line(task, log[-1]))
            distributed.wait_for_first()
    return run


def resumed(run: Run, model: Model, config: Settings) -> list[LogRow]:
    """Fill a model from the last checkpoint, if there is one, and return the log so far."""
    if not run.last.is_file():
        return []
    found, theirs, position = checkpoints.load(run.last)
    checkpoints.fill(model.parameters(), found, run.last, (config, theirs))
    if position["epoch"] > config.epochs:
        raise Pix2PixError(
            f"epochs: expected at least the {position['epoch']} that {run.last} holds, found "
            f"{config.epochs}; ask for more, or start another run with --out"
        )
    model.step = position["step"]
    log = run.log()[: position["epoch"] + 1]
    if len(log) != position["epoch"] + 1:
        raise Pix2PixError(
            f"{run.log_file}: expected {position['epoch'] + 1} rows to match {run.last.name}, "
            f"found {len(log)}; put the log back, or start another run with --out"
        )
    return log


def train_epoch(task: Task, epoch: int) -> list[float]:
    """Run one epoch's steps and return their mean losses."""
    bar = tqdm(total=task.steps(), desc=f"epoch {epoch}", unit="step", disable=None, leave=False)
    with bar:
        losses = []
        for batch in task.batches(epoch):
            losses.append(task.model.train_step(*batch))
            bar.update()
    return [float(np.mean(term)) for term in zip(*losses, strict=True)]


def log_row(
    columns: Sequence[str],
    epoch: int,
    model: Model,
    losses: Sequence[float],
    held_out: Sequence[float],
    seconds: float,
) -> LogRow:
    """Put an epoch's numbers under the log's column names."""
    rate = model.config.learning_rate_at(epoch) if epoch else 0.0
    values = (epoch, model.step, rate, *losses, *held_out, round(seconds, 2))
    return dict(zip(columns, values, strict=True))


def epoch_line(task: Task, row: LogRow) -> str:
    """Say in one line how an epoch went."""
    epochs = task.config.epochs
    place = f"epoch {row['epoch']:{len(str(epochs))}d}/{epochs}"
    if row["epoch"] == 0:
        return f"{place}  untrained: {task.line(row)}"
    return f"{place}  {task.line(row)}{account(row)}  {row['seconds']:.1f} s"


def keep(run: Run, task: Task, log: list[LogRow]) -> None:
    """Write an epoch down: samples, plot, log, and the checkpoint that makes it count."""
    epoch, config = int(log[-1]["epoch"]), task.config
    samples = run.sample_file(epoch)
    samples.parent.mkdir(parents=True, exist_ok=True)
    task.sample_grid().savefig(samples)
    if epoch:
        task.loss_curves(log).savefig(run.folder / "losses.png")
    run.write_log(log)
    position = {"epoch": epoch, "step": task.model.step}
    if epoch and (epoch % config.save_every == 0 or epoch == config.epochs):
        checkpoints.save(task.model.kept(), run.generator_file(epoch), config, **position)
    checkpoints.save(task.model.parameters().values(), run.last, config, **position)
