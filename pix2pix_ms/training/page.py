"""A run's page: its sample grids, curves, settings and warnings, in one file for a browser.

It is made from the run's folder alone: by a training after every epoch, and by the command
`report`, which also sets several runs side by side. `page.js` shows what is gathered here.
"""

import io
import json
import math
import os
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from pix2pix_ms.config.models import MODELS
from pix2pix_ms.data.images import Pixels, read_image
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.files import appearing_whole, check_new
from pix2pix_ms.training.run import Run

Gathered = dict[str, Any]  # as JSON has it
HTML, CSS, JS = (Path(__file__).with_name(f"page.{kind}") for kind in ("html", "css", "js"))
# Bytes of all grids of a run, to which base64 adds a third; of the first; of each of the few others
# that are shown whole: the last, and those after every quarter of the training.
GRIDS, FIRST, WHOLE = 2_000_000, 100_000, 50_000
FINE, COARSE = 85, 35  # WebP's quality
LEFT, RIGHT = 0.15, 0.97  # where the axes of a panel begin and end, of its width
# What is drawn in #0303xx becomes the colour --xx of page.css, for a light screen or a dark one.
INK, RULE, CURVES = "#0303f0", "#0303f1", [f"#0303{number:02x}" for number in range(8)]


class Page:
    """The page of some runs; the grids it has encoded are kept for when it is written again."""

    def __init__(self, runs: Sequence[Run]) -> None:
        above = os.path.commonpath([run.folder.resolve().parent for run in runs])
        self.runs = {str(run.folder.resolve().relative_to(above)): run for run in runs}
        self.encoded: dict[Path, tuple[object, Gathered]] = {}

    def write(self, file: Path, live: bool = False) -> None:
        """Write the page.

        Args:
            live: a training will write it again, so that an open page shall look for that.

        Raises:
            Pix2PixError: if a folder is no run, or one without an epoch, or if what lies in it is
                damaged or of another version.
        """
        named = self.runs.items()
        runs = [{"name": name, "grids": self.grids(run), **gathered(run)} for name, run in named]
        data = {"live": live, "axes": [LEFT, RIGHT], "panels": panels(runs), "runs": runs}
        text = json.dumps(data, allow_nan=False, separators=(",", ":"))
        page, css, js = (part.read_text(encoding="utf-8") for part in (HTML, CSS, JS))
        page = page.replace("/* page.css */", css).replace("/* page.js */", js)
        with appearing_whole(file) as writing:
            page = page.replace("/* data */", text.replace("<", "\\u003c"))
            writing.write_text(page, encoding="utf-8")

    def grids(self, run: Run) -> list[Gathered]:
        """Return a run's sample grids: few of them whole, the others as there is room for them."""
        if not run.config_file.is_file():
            raise Pix2PixError(
                f"{run.folder}: expected the folder of a run, found no {run.config_file.name} in "
                "it; name one that pix2pix-ms train has written"
            )
        config = run.config()
        files = {epoch: run.sample_file(epoch) for epoch in range(len(run.log()))}
        files = {epoch: file for epoch, file in files.items() if file.is_file()}
        if not files:
            raise Pix2PixError(f"{run.folder}: expected an epoch and its sample grid, found none")
        first, last = min(files), max(files)
        base, changed = read_image(files[first]), files[first].stat().st_mtime_ns
        planned = config.epochs // config.sample_every + 2
        small = min(WHOLE, (GRIDS - FIRST - 6 * WHOLE) // planned)
        for epoch, file in files.items():
            whole = epoch == last or epoch % max(1, config.epochs // 4) == 0
            room = FIRST if epoch == first else WHOLE if whole else small
            state = changed, file.stat().st_mtime_ns, room
            if file not in self.encoded or self.encoded[file][0] != state:
                grid = encoded(read_image(file), None if epoch == first else base, room)
                self.encoded[file] = state, {"epoch": epoch, **grid}
        return [self.encoded[file][1] for file in files.values()]


def gathered(run: Run) -> Gathered:
    """Return what the page says of a run, its grids aside."""
    config, log, data = run.config(), run.log(), run.data()
    seconds = [row.get("seconds", 0.0) for row in log[1:]] or [0.0]
    task = MODELS[config.model].task_class()
    curves = task.panels()
    drawn = {column for columns in curves.values() for column in columns.values()}
    others = [name for name in log[0] if name.startswith("loss_") and name not in drawn]
    named = {name.removeprefix("loss_").replace("_", " "): name for name in others}
    return {
        "config": json.loads(config.to_json()),
        "defaults": json.loads(type(config)().to_json()),
        "shows": task.sample_words,
        "data": data.get("pairs", data["train"]),
        "fingerprint": data["fingerprint"],
        "device": data.get("device", config.device),
        "warnings": run.warnings(),
        "each": rounded(float(np.median(seconds))),
        "altogether": rounded(sum(seconds)),
        "last": len(log) - 1,
        "log": {column: [rounded(row[column]) for row in log] for column in log[0]},
        "curves": {**curves, "other losses": {**curves.get("other losses", {}), **named}},
    }


def rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


def encoded(pixels: Pixels, base: Pixels | None, room: int) -> Gathered:
    """Encode a grid in so many bytes, transparent where it is as the base: inputs and targets."""
    whole = base is None or base.shape != pixels.shape
    differs = np.ones(pixels.shape[:2], bool) if whole else (pixels != base).any(axis=2)
    alpha = np.outer(differs.any(axis=1), differs.any(axis=0)) * np.uint8(255)
    image = Image.fromarray(np.dstack([pixels, alpha]))
    image.thumbnail((4096, 4096))  # WebP has at most 16383 pixels a side
    quality, scale = FINE, 1.0
    while True:
        size = [max(1, round(side * scale)) for side in image.size]
        file = io.BytesIO()
        image.resize(size, Image.Resampling.LANCZOS).save(file, "WEBP", quality=quality, method=2)
        over = file.tell() / room
        if over <= 1 or max(size) <= 64:
            break
        if quality == FINE:
            over /= 2.4  # which is how much smaller it becomes
        quality, scale = COARSE, scale * min(1.0, 0.97 * over**-0.8)
    return {"whole": whole, "webp": f"data:image/webp;base64,{b64encode(file.getvalue()).decode()}"}


def panels(runs: Sequence[Gathered]) -> list[Gathered]:
    """Draw a run's panels of curves; of several runs, a panel for each curve that one has."""
    found: dict[tuple[str, ...], list[Gathered]] = {}
    alone = len(runs) == 1
    for number, run in enumerate(runs):
        log = run.pop("log")
        for title, columns in run.pop("curves").items():
            for label, column in columns.items():
                values = log.get(column, [])
                if any(value is not None for value in values):
                    lines = found.setdefault((title,) if alone else (title, label), [])
                    name, colour = (label, len(lines)) if alone else (run["name"], number)
                    lines.append({"label": name, "colour": colour % len(CURVES), "values": values})
    last = max(run["last"] for run in runs)
    return [{"title": t, "lines": lines, "svg": plot(lines, last)} for t, lines in found.items()]


def plot(lines: Sequence[Gathered], last: int) -> str:
    """Draw curves by epoch, from 0 to the last, as SVG that takes its colours from the page."""
    figure = Figure((3.4, 1.9))
    axes = figure.add_axes((LEFT, 0.11, RIGHT - LEFT, 0.84))
    for line in lines:
        values, marker = np.array(line["values"], float), "." if last < 40 else ""
        axes.plot(values, color=CURVES[line["colour"]], linewidth=1.6, marker=marker)
    axes.set_xlim(0, max(1, last))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(colors=INK, labelsize=9, length=0)
    axes.grid(color=RULE, linewidth=0.8)
    axes.spines[:].set_visible(False)
    file = io.StringIO()
    undated = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "page"}):
        figure.savefig(file, format="svg", transparent=True, metadata=undated)
    drawn = re.sub("#0303(..)", r"var(--\1)", file.getvalue())
    return drawn[drawn.index("<svg") :]


def report(
    folders: Sequence[Path], out: Path | None, force: bool, say: Callable[[str], None]
) -> None:
    """Write a page as the command `report` asks for it; raises as `Page.write`, or if it exists."""
    runs = [Run(folder) for folder in folders]
    file = out or (runs[0].page_file if len(runs) == 1 else Path(runs[0].page_file.name))
    texts = [text for run in runs for text in (run.config_file, run.data_file, run.log_file)]
    check_new(file, force=force, inputs=texts)
    Page(runs).write(file)
    for run in runs:
        due = [run.sample_file(n) for n in range(0, len(run.log()), run.config().sample_every)]
        if missing := [grid for grid in due if not grid.is_file()]:
            others = f", nor {len(missing) - 1} others" * (len(missing) > 1)
            say(f"{missing[0]}: expected a sample grid, found none{others}; that before is shown")
    say(f"open {file}")
