"""The training loop: schedule, log, samples, checkpoints, and how a run is resumed.

A run is a folder. Its `checkpoints/last.ckpt` is written last in every epoch, and between two steps
when a signal asks to stop. A resumed run gives the same bits as one that never stopped. What
differs from model to model is in its task (`training/task.py`).
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pix2pix_ms.config.models import MODELS
from pix2pix_ms.config.settings import Settings
from pix2pix_ms.data.pair_batches import Data
from pix2pix_ms.errors import Pix2PixError, first_line
from pix2pix_ms.machine import ranks
from pix2pix_ms.machine.device import choose_device
from pix2pix_ms.machine.files import appearing_whole, held
from pix2pix_ms.machine.precision import account, accounting
from pix2pix_ms.machine.process import give_back
from pix2pix_ms.machine.signals import Handler, Stopped, interruptible
from pix2pix_ms.training import checkpoints, health
from pix2pix_ms.training.figures import LogRow
from pix2pix_ms.training.page import Page
from pix2pix_ms.training.run import Run, check_data, check_free, check_same, checked_log, log_sum
from pix2pix_ms.training.task import Task

LOWER_IS_BETTER = ("l1", "kid")


def train(
    config: Settings,
    data: Data,
    folder: Path,
    resume: bool = False,
    stop_after: int | None = None,
    report: Callable[[str], None] = print,
) -> Run:
    """Train a model and leave a run folder: config, log, samples, loss plot, page, checkpoints.

    Every rank calls this with the same arguments; the first one writes and reports.

    Args:
        config: the settings of the model.
        data: what to train on and what to hold out, as the model's task opens it.
        resume: resume the run in `folder`, or start one if there is none.
        stop_after: stop after this epoch; the schedule is still that of all `config.epochs`.
        report: called with a line of text after every epoch.

    Raises:
        Pix2PixError: if the folder holds another run or is in use by another process, the device is
            missing, the data cannot be read, or losses or weights are not finite.
        Stopped: on Ctrl-C, SIGTERM or SIGHUP: after the current step, when all is saved; before the
            first step, or on a second signal, at once, with the last whole epoch saved.
    """
    run = Run(folder)
    choose_device(config.device)
    with ready(run, resume) as signals:
        last = config.epochs if stop_after is None else stop_after
        Trainer(run, config, data, report).fit(last, signals)
    return run


@contextmanager
def ready(run: Run, resume: bool) -> Iterator[Handler]:
    """Lock a run's folder, check that it may begin or resume there, and catch signals.

    Raises:
        Pix2PixError: if the folder holds a run that is not to be resumed, or is in use.
    """
    with held(run.folder) if ranks.is_first() else nullcontext():
        check_free(run, resume)
        with ranks.waiting_in(run.folder), interruptible() as signals:
            yield signals


class Trainer:
    """Trains a model on its data, from the start or from the run's last checkpoint.

    Attributes:
        log: a row for every finished epoch; epoch 0 is the untrained model.
        losses: of every step done in the current epoch.

    Raises:
        Pix2PixError: if the run began with other settings or data, its checkpoint is missing or
            does not match its log, or it has more epochs than the settings ask for.
    """

    def __init__(
        self, run: Run, config: Settings, data: Data, report: Callable[[str], None]
    ) -> None:
        self.run, self.config, self.data, self.report = run, config, data, report
        if config.ranks != (here := ranks.world().ranks):
            raise Pix2PixError(
                f"ranks: expected {config.ranks} as the settings have it, found {here}; "
                "start as many with msrun's --worker_num, and --distributed"
            )
        ranks.agree("settings or data", config.to_json() + data.fingerprint)
        with ranks.first_before_others():  # the first moves a damaged checkpoint away
            saved = run.load_last(report)
        ranks.agree("checkpoint", str({**saved.position, "losses": None} if saved else None))
        if run.exists():  # before a model is built from settings that may be damaged
            before = saved.config if saved else run.config()
            check_same(before, config, saved.path if saved else run.config_file)
            check_data(run, data)
        self.task: Task = MODELS[config.model].task_class()(config, data)
        self.model = self.task.model
        self.page = Page([run])
        self.log: list[LogRow] = []
        self.losses: list[Sequence[float]] = []
        parameters = self.model.parameters()
        if saved is not None:
            self.log, self.losses = checked_log(run, config, saved)
            checkpoints.fill(parameters, saved.parameters, saved.path, (config, saved.config))
            self.model.step = saved.position["step"]
            for line in config.changed_since(saved.config, len(self.log)):
                report(line)
        elif config.start_from is not None:
            report(checkpoints.start_from(Path(config.start_from), parameters, config))
        ranks.broadcast(parameters.values())

    def fit(self, last: int, signals: Handler) -> None:
        """Train up to and including epoch `last`; raises as `train`."""
        if ranks.is_first():
            noted = self.data.identity() | {"device": choose_device(self.config.device)}
            self.run.begin(self.config, noted)
            self.report(self.data.description)
        for epoch in range(len(self.log), last + 1):
            if ranks.is_first():
                check_data(self.run, self.data)
            self.task.begin_epoch(epoch)
            began = time.perf_counter()

            # a training step for each batch; between two, stop if a signal came
            for batch in self.batches(epoch):
                self.losses.append(self.model.train_step(*batch))
                health.check_losses(self.task, self.losses[-1], epoch, self.run.last)
                signals.patient = self.config.ranks == 1  # ranks stop at once, not between steps
                if signals.noted is not None:
                    health.check_weights(self.task, epoch, self.run.last)
                    self.save(losses=np.array(self.losses))
                    raise Stopped(f"{self.run.last} is saved; resume from it", signals.noted)

            # measure, log, draw, save
            self.end_epoch(epoch, time.perf_counter() - began)
            if signals.noted is not None:
                raise Stopped(f"{self.run.last} is saved; resume from it", signals.noted)
        if ranks.is_first() and not self.run.page_file.is_file():  # of a run that has ended before
            self.write_page()

    def batches(self, epoch: int) -> Any:
        """Return the remaining batches of an epoch, with a progress bar; epoch 0 has none."""
        done = len(self.losses)
        left = islice(self.task.batches(epoch), done, None) if epoch else ()
        return tqdm(
            left, f"epoch {epoch}", total=self.task.steps(), initial=done, unit="step", leave=False,
            disable=None if epoch else True,
        )  # fmt: skip

    def end_epoch(self, epoch: int, seconds: float) -> None:
        """Measure, log, draw and save on the first rank; the others wait."""
        steps = self.losses or [[math.nan] * len(self.task.losses)]
        means = ranks.mean([float(np.mean(term)) for term in zip(*steps, strict=True)])
        self.losses = []
        if ranks.is_first():
            self.log.append(self.row(epoch, means, seconds))
            signs = health.signs(self.task, self.log)
            self.run.warn(signs)
            health.check_weights(self.task, epoch, self.run.last)
            self.draw(epoch)
            self.run.write_log(self.log)
            self.write_page()
            if epoch and self.is_due(epoch, self.config.save_every):
                self.save_generator(self.run.generator_file(epoch), epoch)
            if epoch and self.is_best():
                self.save_generator(self.run.best, epoch)
            self.save()
            give_back()
            for line in (self.line(self.log[-1]), *(f"warning: {sign}" for sign in signs)):
                self.report(line)
        ranks.wait_for_first()

    def row(self, epoch: int, means: Sequence[float], seconds: float) -> LogRow:
        """Measure the model on held-out data and return a row of the log."""
        rate = self.config.learning_rate_at(epoch) if epoch else 0.0
        held_out = zip(self.task.measures, self.task.measure(), strict=True)
        return {
            "epoch": epoch,
            "step": self.model.step,
            "learning_rate": rate,
            **{f"loss_{name}": m for name, m in zip(self.task.losses, means, strict=True)},
            **{f"held_out_{name}": value for name, value in held_out},
            "seconds": round(seconds, 2),
            **accounting(self.model.parameters()),
        }

    def line(self, row: LogRow) -> str:
        epochs = self.config.epochs
        place = f"epoch {row['epoch']:{len(str(epochs))}d}/{epochs}"
        if row["epoch"] == 0:
            return f"{place}  untrained: {self.task.line(row)}"
        return f"{place}  {self.task.line(row)}{account(row)}  {row['seconds']:.1f} s"

    def is_due(self, epoch: int, every: int) -> bool:
        return epoch % every == 0 or epoch == self.config.epochs

    def draw(self, epoch: int) -> None:
        """Draw the sample grid, if it is due, and the losses so far."""
        if self.is_due(epoch, self.config.sample_every):
            with appearing_whole(self.run.sample_file(epoch)) as writing:
                self.task.sample_grid().savefig(writing)
        if epoch:
            with appearing_whole(self.run.curves_file) as writing:
                self.task.loss_curves(self.log).savefig(writing)

    def write_page(self) -> None:
        """Write the run's page; warn where anything but the disk prevents it."""
        try:
            self.page.write(self.run.page_file, live=len(self.log) <= self.config.epochs)
        except Exception as error:
            if isinstance(error, OSError) and error.errno:
                raise
            self.report(f"warning: {self.run.page_file} is not written: {first_line(error)}")

    def is_best(self) -> bool:
        """Tell whether this epoch is the first with the best of the measure in `keep_best`."""
        measure = self.config.chosen_by
        if measure is None:
            return False
        column, sign = f"held_out_{measure}", 1 if measure in LOWER_IS_BETTER else -1
        *before, now = (sign * row[column] for row in self.log[1:])
        return now < min(before, default=math.inf)

    def save_generator(self, path: Path, epoch: int) -> None:
        parameters, config = checkpoints.plain(self.model.inference_parameters(), self.config)
        checkpoints.save(parameters.values(), path, config, epoch=epoch, step=self.model.step)

    def save(self, **within: np.ndarray) -> None:
        """Save everything a resume needs as the last checkpoint; that becomes the previous one."""
        run, parameters = self.run, self.model.parameters().values()
        position = {"epoch": len(self.log) - 1, "step": self.model.step, "log": log_sum(self.log)}
        checkpoints.save(parameters, run.last, self.config, run.previous, **position, **within)
        run.saved = run.last, position | within
