"""Grids of images and curves of losses, as matplotlib figures."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pix2pix_ms.config.settings import Direction
from pix2pix_ms.data.images import Pixels, shown, to_pixels

SAMPLE_TITLES = ("input", "generated", "target")
CELL_INCHES = 1.7
WIDE = 1.25  # width over height above which a row has three images, not six
DPI = 110
UNDECIDED = {"vanilla": (math.log(2), "log 2: undecided"), "lsgan": (0.25, "1/4: undecided")}
LogRow = dict[str, float]
Panels = Mapping[str, Mapping[str, str]]  # title of a plot: label of a curve: column of the log
PANELS: Panels = {
    "adversarial losses": {
        "D, real": "loss_d_real",
        "D, generated": "loss_d_fake",
        "G, adversarial": "loss_g_gan",
    },
    "L1, of values in [-1, 1]": {"training": "loss_g_l1", "held out": "held_out_l1"},
    "SSIM": {"held-out SSIM": "held_out_ssim"},
}


def pixels(image: np.ndarray) -> Pixels:
    """Convert uint8 [H, W] or [H, W, C], or float32 [C, H, W], to uint8 [H, W, 3]."""
    return shown(image if image.dtype == np.uint8 else to_pixels(image))


def image_grid(
    rows: Sequence[Sequence[np.ndarray]],
    titles: Sequence[str] = (),
    cell: float = CELL_INCHES,
    names: Sequence[str] = (),
) -> Figure:
    """Show rows of images.

    Args:
        rows: uint8 [H, W] or [H, W, C], or float32 [C, H, W] in [-1, 1] each.
        titles: one for each column or, if there are more than columns, for each image.
        cell: the shorter side of the first image, in inches.
        names: of the rows, at their left.
    """
    columns = max(len(row) for row in rows)
    pictures = [[pixels(image) for image in row] for row in rows]
    height, width = pictures[0][0].shape[:2]
    across, down = cell * max(1, width / height), cell * max(1, height / width)
    each = len(titles) > columns
    left, top = 0.28 * bool(names), 0.28 * bool(titles)
    between = 0.03 * down + top * each
    wide = left + columns * across
    high = len(rows) * down + top + each * (len(rows) - 1) * top
    figure = Figure(figsize=(wide, high), dpi=DPI)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    figure.subplots_adjust(left / wide, 0, 1, 1 - top / high, 0.03, between / down)
    titled = grid.flat if each else grid[0]
    for axes in grid.flat:
        axes.set_axis_off()
    for axes_row, images in zip(grid, pictures, strict=True):
        for axes, image in zip(axes_row, images, strict=False):
            axes.imshow(image, interpolation="nearest")
    for axes, title in zip(titled, titles, strict=False):
        axes.set_title(title, fontsize=9, pad=4)
    for axes, name in zip(grid[:, 0], names, strict=False):
        place = {"ha": "center", "va": "center", "transform": axes.transAxes}
        axes.text(-0.14 / across, 0.5, name, rotation=90, fontsize=9, **place)
    return figure


def sample_grid(
    samples: Sequence[Sequence[np.ndarray]], direction: Direction | None = None
) -> Figure:
    """Show (input, generated, target) triples, two in a row, or one if they are wide.

    With a direction the titles say which image is A and which is B.
    """
    titles = SAMPLE_TITLES
    if direction is not None:
        a, b = direction.split("to")
        titles = (f"input ({a})", SAMPLE_TITLES[1], f"target ({b})")
    height, width = pixels(samples[0][0]).shape[:2]
    abreast = 1 if width > WIDE * height else 2
    lines = [
        [image for triple in samples[start : start + abreast] for image in triple]
        for start in range(0, len(samples), abreast)
    ]
    return image_grid(lines, titles * min(len(samples), abreast))


def loss_curves(log: Sequence[LogRow], gan_mode: str = "vanilla") -> Figure:
    """Plot a run's log: the adversarial losses, G's L1 and the held-out measures, by epoch.

    A dotted line marks the loss of a D that cannot distinguish generated images from real ones, if
    `gan_mode` has one. A run without a discriminator has no plot of adversarial losses.
    """
    figure = curves_of(log, PANELS, 11 / 3)
    if gan_mode in UNDECIDED and len(figure.axes) == len(PANELS):
        loss, label = UNDECIDED[gan_mode]
        figure.axes[0].axhline(loss, color="0.6", ls=":", label=label)
        figure.axes[0].legend(fontsize=8)
    return figure


def curves_of(log: Sequence[LogRow], panels: Panels, width: float = 5.5) -> Figure:
    """Plot columns of a log by epoch, a panel `width` inches wide for each title.

    A panel whose columns are all NaN is left out.
    """
    shown = {
        title: columns
        for title, columns in panels.items()
        if not all(math.isnan(row[name]) for name in columns.values() for row in log)
    }
    figure = Figure(figsize=(width * len(shown), 3.2), dpi=DPI, layout="constrained")
    plots = figure.subplots(1, len(shown), sharex=True, squeeze=False)[0]
    for axes, (title, columns) in zip(plots, shown.items(), strict=True):
        for label, column in columns.items():
            rows = [row for row in log if not math.isnan(row[column])]
            epochs = [row["epoch"] for row in rows]
            if rows:
                axes.plot(epochs, [row[column] for row in rows], marker=".", label=label)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure
