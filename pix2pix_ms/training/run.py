"""The folder of a run: its files, and the checks before one is started or resumed."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from pix2pix_ms.config.models import settings_from_json
from pix2pix_ms.config.settings import Settings
from pix2pix_ms.data.pair_batches import Data
from pix2pix_ms.errors import DamagedError, Pix2PixError
from pix2pix_ms.machine.files import replace_text
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.figures import LogRow

# The settings that may change when a run is resumed: its length, and what is saved.
RESUMABLE = ("epochs", "constant_epochs", "save_every", "sample_every", "samples", "device")


class Checkpoint(NamedTuple):
    """A checkpoint of a run: its file, parameters, the run's settings, and its position."""

    path: Path
    parameters: Mapping[str, Any]
    config: Any
    position: dict[str, Any]


class Run:
    """The folder of one training.

    Attributes:
        config_file: the settings, as JSON.
        data_file: what is trained on and what held out, their fingerprint, and the device, as JSON.
        log_file: one row per epoch; row 0 is the untrained network.
        curves_file: the loss plot.
        warnings_file: a line for each warning; it exists only if there was one.
        page_file: the page to open: sample grids, curves, settings, warnings.
        last: the checkpoint with everything a resume needs.
        best: the best network alone, by the held-out measure in `keep_best`.
        previous: the one before.
        saved: the checkpoint that this process last saved or loaded, and its position.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config_file, self.data_file = folder / "config.json", folder / "data.json"
        self.log_file, self.curves_file = folder / "log.csv", folder / "losses.png"
        self.warnings_file, self.page_file = folder / "warnings.txt", folder / "report.html"
        self.last, self.previous = checkpoints.last_of(folder), checkpoints.previous_of(folder)
        self.best = checkpoints.best_of(folder)
        self.saved: tuple[Path, Mapping[str, Any]] | None = None

    def sample_file(self, epoch: int) -> Path:
        return self.folder / "samples" / f"epoch_{epoch:03d}.png"

    def generator_file(self, epoch: int) -> Path:
        """Return the file of the generator alone, as it was after an epoch."""
        return self.last.with_name(f"epoch_{epoch:03d}{checkpoints.SUFFIX}")

    def load_last(self, report: Callable[[str], None]) -> Checkpoint | None:
        """Read the last checkpoint, or the previous one if that is damaged or missing.

        Returns:
            None if the run has no checkpoint yet.

        Raises:
            Pix2PixError: if neither can be read, or there is a log but no checkpoint.
        """
        if not self.previous.is_file() and not self.last.is_file():
            if (epochs := len(self.log()) - 1) > 0:
                raise Pix2PixError(
                    f"{self.last}: expected the checkpoint of {self.log_file.name}'s {epochs} "
                    "epochs, found none; put it back, or start another run with --out"
                )
            return None
        try:
            return self.loaded(self.last)
        except Pix2PixError as error:
            missing = not self.last.is_file()
            if not (missing or isinstance(error, DamagedError)) or not self.previous.is_file():
                raise
        found, state = self.loaded(self.previous), "missing"
        if not missing:  # moved, so that it does not become the previous one
            aside = self.last.replace(self.last.with_name(f"damaged{checkpoints.SUFFIX}"))
            state = f"damaged (it is now {aside.name})"
        report(f"{self.last} is {state}; the run goes on from {self.previous.name}")
        return found

    def loaded(self, path: Path) -> Checkpoint:
        found = Checkpoint(path, *checkpoints.load(path))
        self.saved = path, found.position
        return found

    def exists(self) -> bool:
        return any(file.is_file() for file in (self.config_file, self.last, self.previous))

    def config(self) -> Any:
        """Read the run's settings, of whichever model."""
        text = self.config_file.read_text(errors="replace")  # if it is not text, it is not JSON
        return settings_from_json(text, str(self.config_file))

    def begin(self, config: Settings, data: dict[str, str]) -> None:
        """Write the settings, and what the run trains on and holds out.

        Records inside its folder have relative paths, so that the folder can be moved.
        """
        place, noted = Path(data["train"]), Path(data["train"]).resolve()
        if ".." not in place.parts and place.is_relative_to(self.folder.absolute()):
            noted = place.relative_to(self.folder.absolute())  # even if it is a link out of it
        elif noted.is_relative_to(self.folder.resolve()):
            noted = noted.relative_to(self.folder.resolve())
        text = json.dumps(data | {"train": noted.as_posix()}, indent=2)
        replace_text(self.data_file, text + "\n")
        replace_text(self.config_file, config.to_json())

    def data(self) -> dict[str, str]:
        """Read what the run trains on: the record's path, the fingerprint, and what is noted."""
        try:
            data = json.loads(self.data_file.read_text())
            place, noted = self.folder / data["train"], {k: str(v) for k, v in data.items()}
            return {**noted, "train": str(place), "fingerprint": str(data["fingerprint"])}
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise Pix2PixError(
                f"{self.data_file}: expected what the run trains on, found {error!r}; "
                "put the file back, or start another run with --out"
            ) from error

    def log(self) -> list[LogRow]:
        if not self.log_file.is_file():
            return []
        try:
            rows = csv.DictReader(io.StringIO(self.log_file.read_text()), strict=True)
            return [{name: number(value) for name, value in row.items()} for row in rows]
        except (ValueError, TypeError, AttributeError, csv.Error) as error:
            raise Pix2PixError(
                f"{self.log_file}: expected numbers in columns, found a damaged file; "
                "put the log back, or start another run with --out"
            ) from error

    def write_log(self, log: list[LogRow]) -> None:
        replace_text(self.log_file, log_text(log))

    def warn(self, lines: list[str]) -> None:
        """Add lines to the warnings, except those of an epoch that is trained a second time."""
        known = self.warnings()
        fresh = [line for line in lines if line not in known]
        if fresh:
            replace_text(self.warnings_file, "".join(f"{line}\n" for line in [*known, *fresh]))

    def warnings(self) -> list[str]:
        there = self.warnings_file.is_file()
        return self.warnings_file.read_text(errors="replace").splitlines() if there else []


def log_text(log: list[LogRow]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(log[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(log)
    return text.getvalue()


def log_sum(log: list[LogRow]) -> str:
    """Return the sha256 of a log without its seconds."""
    rows = [{**row, "seconds": 0.0} for row in log]
    return hashlib.sha256(log_text(rows).encode()).hexdigest()


def number(text: str) -> float:
    return int(text) if text.isdigit() else float(text)


def checked_log(
    run: Run, config: Settings, saved: Checkpoint
) -> tuple[list[LogRow], list[Sequence[float]]]:
    """Return the log up to a checkpoint, and the losses of the steps in the unfinished epoch.

    Raises:
        Pix2PixError: if the log is not the one the checkpoint was saved with, or the settings have
            fewer epochs than the run has begun.
    """
    path, position = saved.path, saved.position
    begun = position["epoch"] + ("losses" in position)
    if begun > config.epochs:
        raise Pix2PixError(
            f"epochs: expected at least the {begun} that {path} has begun, found "
            f"{config.epochs}; ask for more, or start another run with --out"
        )
    log = run.log()[: position["epoch"] + 1]
    if len(log) <= position["epoch"] or position.get("log", log_sum(log)) != log_sum(log):
        raise Pix2PixError(
            f"{run.log_file}: expected the {position['epoch'] + 1} rows that {path.name} was saved "
            "with, found others; put the log back, or start another run with --out"
        )
    return log, [tuple(row) for row in position.get("losses", ())]


def check_data(run: Run, data: Data) -> None:
    """Raise Pix2PixError if the data are not those the run began with."""
    before = run.data()
    if data.fingerprint != before["fingerprint"]:
        raise Pix2PixError(
            f"{run.data_file}: expected the data the run began with, {before['train']}, found "
            "others there; put those back, or start another run with --out"
        )


def check_free(run: Run, resume: bool) -> None:
    """Raise Pix2PixError if a folder has a run that is not to be resumed, or files in its way."""
    if run.exists():
        if not resume:
            raise Pix2PixError(
                f"{run.folder}: expected a new folder, found a run; "
                "continue it with --resume, or choose another with --out"
            )
        return
    samples, saved = run.sample_file(0).parent, run.last.parent
    files = (run.log_file, run.curves_file, run.warnings_file, run.page_file)
    for place in (*files, samples, saved):
        if place.is_file() or (place.is_dir() and any(place.iterdir())):
            raise Pix2PixError(
                f"{place}: expected none where no run has begun, found one; move it away, or "
                "choose another folder with --out"
            )
    if run.data_file.exists():
        run.data()  # may be another program's file


def check_model(before: Settings, model: str, where: Path) -> None:
    if before.model != model:
        raise Pix2PixError(
            f"{where}: expected a run of {model}, found one of {before.model}; "
            f"give --model {before.model}, or start another run with --out"
        )


def check_same(before: Settings, now: Settings, where: Path) -> None:
    """Raise Pix2PixError if a setting changed that may not change when a run is resumed."""
    check_model(before, now.model, where)
    old, new = asdict(before), asdict(now)
    for name in old:
        if name not in RESUMABLE and old[name] != new[name]:
            raise Pix2PixError(
                f"{where}: expected {name} {old[name]} as the run began, found {new[name]}; "
                "leave it as it was, or start another run with --out"
            )
