"""Epochs: schedule, log, samples, checkpoints, and going on where a run stopped.

A run is a folder. Its `checkpoints/last.ckpt` is written last in every epoch, so whatever
interrupts a run, it goes on from a whole epoch, to the bit as if it had never stopped.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from mindspore import dataset as ds
from tqdm import tqdm

from pix2pix_ms import checkpoints
from pix2pix_ms.config import Config
from pix2pix_ms.data import records
from pix2pix_ms.data.pipeline import Subset, TrainingData, check_batch, check_channels, epoch_data
from pix2pix_ms.device import choose_device
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.evaluate import evaluate
from pix2pix_ms.figures import LogRow, loss_curves, sample_grid
from pix2pix_ms.interrupt import interruptible
from pix2pix_ms.pix2pix import Losses, Pix2Pix
from pix2pix_ms.run import COLUMNS, Run, check_run
from pix2pix_ms.translate import Translator, Triple, triples


def train(
    config: Config,
    data: TrainingData,
    folder: Path,
    resume: bool = False,
    stop_after: int | None = None,
    report: Callable[[str], None] = print,
) -> Run:
    """Train pix2pix and leave a run folder: config, log, samples, loss plot, checkpoints.

    Args:
        data: what to train on and what to hold out.
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
    check_batch(data.train, config)
    for subset in (data.train, data.held_out):
        check_channels(subset.record, config)
    choose_device(config.device)
    with interruptible():
        model, log = start(run, config)
        if log and run.config().constant != config.constant:
            report(f"the learning rate goes on at {config.learning_rate_at(len(log)):.2g}")
        last = config.epochs if stop_after is None else stop_after
        run.begin(config, data.identity())
        report(data.description)
        generate = Translator(model.generator, config)  # one, because each compiles a graph
        shown = Subset(data.held_out.record, data.held_out.indices[: config.samples])
        for epoch in range(len(log), last + 1):
            model.set_learning_rate(config.learning_rate_at(max(epoch, 1)))
            began = time.perf_counter()
            losses = train_epoch(model, data.train, epoch) if epoch else NO_LOSSES
            seconds = time.perf_counter() - began
            held_out = evaluate(triples(generate, data.held_out))
            log.append(log_row(model, epoch, losses, held_out, seconds))
            keep(run, model, log, list(triples(generate, shown)))
            report(epoch_line(log[-1], config))
    return run


NO_LOSSES = Losses(*[float("nan")] * 4)


def start(run: Run, config: Config) -> tuple[Pix2Pix, list[LogRow]]:
    """Build the networks, filled from the last checkpoint if there is one, and read the log."""
    model = Pix2Pix(config)
    if not run.last.is_file():
        return model, []
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
    return model, log


def train_epoch(model: Pix2Pix, subset: Subset, epoch: int) -> Losses:
    """Run one epoch's steps and return their mean losses."""
    batches = epoch_data(subset, model.config, epoch)
    steps = len(subset) // model.config.batch_size
    bar = tqdm(total=steps, desc=f"epoch {epoch}", unit="step", disable=None, leave=False)
    with bar:
        losses = []
        for x, y in rows_of(batches, subset):
            losses.append(model.train_step(x, y))
            bar.update()
    return Losses(*(float(np.mean(term)) for term in zip(*losses, strict=True)))


def rows_of(dataset: ds.Dataset, subset: Subset) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Iterate over a dataset's (x, y), each float32 [N, C, height, width]."""
    for row in records.rows_of(dataset, subset.record.path):
        yield row["x"], row["y"]


def log_row(
    model: Pix2Pix, epoch: int, losses: Losses, held_out: tuple[float, ...], seconds: float
) -> LogRow:
    """Put an epoch's numbers under the log's column names."""
    rate = model.config.learning_rate_at(epoch) if epoch else 0.0
    values = (epoch, model.step, rate, *losses, *held_out, round(seconds, 2))
    return dict(zip(COLUMNS, values, strict=True))


def epoch_line(row: LogRow, config: Config) -> str:
    """Say in one line how an epoch went."""
    place = f"epoch {row['epoch']:{len(str(config.epochs))}d}/{config.epochs}"
    held_out = f"held-out L1 {row['held_out_l1']:.3f}  SSIM {row['held_out_ssim']:.3f}"
    if row["epoch"] == 0:
        return f"{place}  untrained: {held_out}"
    game = ""
    if config.gan_weight > 0:
        loss_d = (row["loss_d_real"] + row["loss_d_fake"]) / 2
        game = f"  D {loss_d:.3f}  G {row['loss_g_gan']:.3f}"
    return f"{place}{game}  L1 {row['loss_g_l1']:.3f}  {held_out}  {row['seconds']:.1f} s"


def keep(run: Run, model: Pix2Pix, log: list[LogRow], shown: list[Triple]) -> None:
    """Write an epoch down: samples, plot, log, and the checkpoint that makes it count."""
    epoch = int(log[-1]["epoch"])
    samples = run.sample_file(epoch)
    samples.parent.mkdir(parents=True, exist_ok=True)
    sample_grid(shown, model.config.direction).savefig(samples)
    if epoch:
        loss_curves(log).savefig(run.folder / "losses.png")
    run.write_log(log)
    position = {"epoch": epoch, "step": model.step}
    if epoch and (epoch % model.config.save_every == 0 or epoch == model.config.epochs):
        own = model.generator.get_parameters()
        checkpoints.save(own, run.generator_file(epoch), model.config, **position)
    checkpoints.save(model.parameters().values(), run.last, model.config, **position)
