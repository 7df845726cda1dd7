"""Epochs: schedule, log, samples, checkpoints, and going on where a run stopped.

A run is a folder. Its `checkpoints/last.ckpt` is written last in every epoch, and between two steps
where a signal asks to stop, so whatever interrupts a run, it goes on to the bit as if it had never
stopped. What is trained, and on what, is a task's to know (`training/task.py`).
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pix2pix_ms.config.models import MODELS
from pix2pix_ms.config.settings import Settings
from pix2pix_ms.data.pair_batches import Data
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine import ranks
from pix2pix_ms.machine.device import choose_device
from pix2pix_ms.machine.files import appearing_whole, held
from pix2pix_ms.machine.precision import account, accounting
from pix2pix_ms.machine.process import give_back
from pix2pix_ms.machine.signals import Handler, Stopped, interruptible
from pix2pix_ms.training import checkpoints, health
from pix2pix_ms.training.figures import LogRow
from pix2pix_ms.training.run import Run, check_data, check_free, check_same, checked_log, log_sum
from pix2pix_ms.training.task import Model, Task


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
        Pix2PixError: if the folder holds another run or another process trains in it, the device is
            not there, the data cannot be read, or losses or weights are no numbers any more.
        Stopped: after the step during which Ctrl-C, SIGTERM or SIGHUP came, when all has been
            saved; at one before the first step, or at a second, at once: the run can then be
            resumed from its last whole epoch.
    """
    run = Run(folder)
    choose_device(config.device)
    with ready(run, resume) as signals:
        last = config.epochs if stop_after is None else stop_after
        run_epochs(run, config, data, signals, last, report)
    return run


@contextmanager
def ready(run: Run, resume: bool) -> Iterator[Handler]:
    """Lock the folder of a run that may begin or go on there, and catch signals meanwhile.

    Of ranks the first locks for all.

    Raises:
        Pix2PixError: if the folder holds a run and is not to be resumed, or is in use.
    """
    with held(run.folder) if ranks.is_first() else nullcontext():
        check_free(run, resume)
        with ranks.waiting_in(run.folder), interruptible() as signals:
            yield signals


def run_epochs(
    run: Run,
    config: Settings,
    data: Data,
    signals: Handler,
    last: int,
    report: Callable[[str], None],
) -> None:
    """Train from the first epoch that is not in the log to epoch `last`; raises as `train`."""
    begun = data.fingerprint
    ranks.check_ranks(config)
    ranks.agree("settings or data", config.to_json() + begun)
    task, log, losses = restored(run, config, data, report)
    if ranks.is_first():
        run.begin(config, data.identity())
        report(data.description)
    for epoch in range(len(log), last + 1):
        check_unchanged(data, begun)
        task.begin_epoch(epoch)
        began = time.perf_counter()
        if epoch:
            train_epoch(run, task, epoch, log, losses, signals)
        means = ranks.mean(mean_losses(task, losses))
        losses = []
        end_epoch(run, task, log, means, time.perf_counter() - began, report)
        if signals.noted is not None:
            raise Stopped(number=signals.noted)


def check_unchanged(data: Data, begun: str) -> None:
    """Refuse to go on with other data than a run began with.

    Raises:
        Pix2PixError: if they have been replaced since.
    """
    if data.fingerprint != begun:
        raise Pix2PixError(
            f"{data.identity()['train']}: expected the data the run began with, found "
            "others written in their place; put those back and go on with --resume"
        )


def restored(
    run: Run, config: Settings, data: Data, report: Callable[[str], None]
) -> tuple[Task, list[LogRow], list[Sequence[float]]]:
    """Build a model with its data, as the run's last checkpoint has it if there is one.

    Returns:
        The task, the log so far, and the losses of the steps already done in the epoch after it.

    Raises:
        Pix2PixError: if the run began with other settings or data, or its checkpoint is missing,
            of another length than its log, or longer than the epochs asked for.
    """
    with ranks.first_before_others():  # the others then find a damaged one put aside
        kept = run.load_last(report)
    if kept is None and (epochs := len(run.log()) - 1) > 0:
        raise Pix2PixError(
            f"{run.last}: expected the checkpoint of {run.log_file.name}'s {epochs} epochs, "
            "found none; put it back, or start another run with --out"
        )
    ranks.agree("checkpoint", str({**kept.position, "losses": None} if kept else None))
    if run.exists():  # before anything is built of settings that may be damaged
        before = kept.config if kept else run.config()
        check_same(before, config, kept.path if kept else run.config_file)
        check_data(run, data)
    task: Task = MODELS[config.model].task_class()(config, data)
    log: list[LogRow] = []
    losses: list[Sequence[float]] = []
    if kept is not None:
        log, losses = checked_log(run, config, kept)
        checkpoints.fill(task.model.parameters(), kept.parameters, kept.path, (config, kept.config))
        task.model.step = kept.position["step"]
        for line in config.changed_since(kept.config, len(log)):
            report(line)
    elif config.start_from is not None:
        report(checkpoints.start_from(Path(config.start_from), task.model.parameters(), config))
    ranks.broadcast(task.model.parameters().values())
    return task, log, losses


def train_epoch(
    run: Run,
    task: Task,
    epoch: int,
    log: list[LogRow],
    losses: list[Sequence[float]],
    signals: Handler,
) -> None:
    """Run the steps of an epoch after those whose losses are there already, and add theirs.

    Raises:
        Pix2PixError: if a loss is no number any more.
        Stopped: if a signal came; what has been done is saved.
    """
    done, alone = len(losses), task.config.ranks == 1
    bar = tqdm(
        total=task.steps(), initial=done, desc=f"epoch {epoch}", unit="step", disable=None,
        leave=False,
    )  # fmt: skip
    with bar:
        for batch in islice(task.batches(epoch), done, None):
            losses.append(task.model.train_step(*batch))
            health.check_losses(task, losses[-1], epoch, run.last)
            bar.update()
            signals.patient = alone  # from now on there is something to save; ranks stop at once
            if signals.noted is not None:
                health.check_weights(task, epoch, run.last)
                save(run, task, log, losses=np.array(losses))
                raise Stopped(number=signals.noted)


def end_epoch(
    run: Run,
    task: Task,
    log: list[LogRow],
    losses: Sequence[float],
    seconds: float,
    report: Callable[[str], None],
) -> None:
    """Measure, log, draw and save; of ranks, the first does so and the others wait."""
    if ranks.is_first():
        row = log_row(task.columns(), len(log), task.model, losses, task.measure(), seconds)
        log.append(row | accounting(task.model.parameters()))
        signs = health.signs(task, log)
        run.warn(signs)
        keep(run, task, log)
        for line in (epoch_line(task, log[-1]), *(f"warning: {sign}" for sign in signs)):
            report(line)
    ranks.wait_for_first()


def mean_losses(task: Task, losses: Sequence[Sequence[float]]) -> list[float]:
    """Return the means of an epoch's losses; of no steps, nan."""
    if not losses:
        return [math.nan] * len(task.losses)
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
    health.check_weights(task, epoch, run.last)
    if epoch % config.sample_every == 0 or epoch == config.epochs:
        with appearing_whole(run.sample_file(epoch)) as writing:
            task.sample_grid().savefig(writing)
    if epoch:
        with appearing_whole(run.curves_file) as writing:
            task.loss_curves(log).savefig(writing)
    run.write_log(log)
    if epoch and (epoch % config.save_every == 0 or epoch == config.epochs):
        position = {"epoch": epoch, "step": task.model.step}
        kept, plain = checkpoints.plain({p.name: p for p in task.model.kept()}, config)
        checkpoints.save(kept.values(), run.generator_file(epoch), plain, **position)
    save(run, task, log)
    give_back()


def save(run: Run, task: Task, log: list[LogRow], **within: np.ndarray) -> None:
    """Save all that a resume needs as the last checkpoint; what was the last is the one before."""
    position = {"epoch": int(log[-1]["epoch"]), "step": task.model.step, "log": log_sum(log)}
    parameters = task.model.parameters().values()
    checkpoints.save(parameters, run.last, task.config, run.previous, **position, **within)
    run.note(run.last, position | within)
