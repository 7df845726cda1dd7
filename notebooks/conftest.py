"""nbval, taught to compare numbers and pictures as a reader does.

pytest reads this for the notebooks beside it. nbval compares outputs letter by letter and skips
pictures; here floats may differ within a tolerance, pictures by a little in each pixel, and a live
figure is compared as its last update left it. Words and integers stay exact. A cell that needs
wider limits says so in its tags, as `tolerance:0.2` or `picture:4`. A picture says little of
numbers, for another digit in a title passes: those that matter are printed.
"""

import base64
import copy
import io
import re
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile
from PIL import Image

Limits = dict[str, float]
Output = nbformat.NotebookNode

TOLERANCE, PICTURE, TILE = "tolerance", "picture", "tile"
LIMITS: Limits = {
    TOLERANCE: 0.02,  # of floats, relative to the stored one; one unit of its last digit is free
    PICTURE: 0.5,  # mean absolute difference, of 255; at 2 another curve in a plot would pass
    TILE: 24.0,  # the same of the worst square of SIDE pixels: one panel of a large figure
}
LOOSEST: Limits = {TOLERANCE: 0.3, PICTURE: 6.0, TILE: 60.0}
# Of a training that another processor repeats only in kind, with the tag `chance`: a picture of the
# same size that is not blank, and floats of about the same size.
CHANCE: Limits = {TOLERANCE: 0.3, PICTURE: 60.0, TILE: 200.0}
SIDE = 32
CHECKS = "hide-check"  # a cell of checks that readers need not see, but that CI must run
TAGS = (CHECKS, "chance")
PICTURES = ("image/png", "image/jpeg")

# 12, 1,234.5, .5, 1e-3; not the 1 of conv1, nor any part of v2.7.0
NUMBER = re.compile(
    r"\s*(?<![\w.])([-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"(?![\d_]|\.\d)"
)
FLOAT = re.compile(r"\.\d|[eE]")
PADDING = re.compile(r" +$|^ +(?=[^\w\s])", re.MULTILINE)  # a shorter number moves its neighbours
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")


def limits_of(tags: list[str]) -> Limits:
    """Return a cell's limits.

    Raises:
        ValueError: at a tag that is misspelt, not a number, or looser than a number may make it.
    """
    limits = dict(CHANCE if "chance" in tags else LIMITS)
    for tag in tags:
        name, _, value = tag.partition(":")
        if name in limits and re.fullmatch(r"\d+(\.\d+)?", value):
            limits[name] = float(value)
        elif tag not in TAGS:
            known = [*TAGS, *(f"{name}:NUMBER" for name in LIMITS)]
            raise ValueError(f"tag {tag!r}: expected one of {', '.join(known)}")
        if name in limits and float(value) > LOOSEST[name]:
            raise ValueError(f"tag {tag!r}: expected at most {name}:{LOOSEST[name]:g}")
    return limits


def split(text: str) -> tuple[list[str], list[str]]:
    """Return the words between the numbers of a text, without padding, and the numbers."""
    parts = NUMBER.split(ADDRESS.sub("at 0x", text))
    return [PADDING.sub("", re.sub(r"[ \t]+", " ", part)) for part in parts[::2]], parts[1::2]


def number_difference(old: str, new: str, limits: Limits) -> str | None:
    """Return by how much two printed numbers differ, or None where they agree."""
    a, b = (Decimal(number.replace(",", "")) for number in (old, new))
    relative, last_digit = Decimal(0), Decimal(0)
    if FLOAT.search(old) or FLOAT.search(new):
        relative = Decimal(limits[TOLERANCE])
        if relative:
            last_digit = min(Decimal(10) ** int(n.as_tuple().exponent) for n in (a, b))
    if abs(a - b) <= max(relative * abs(a), last_digit):
        return None
    off = f"{abs(a - b) / abs(a):.2%} off" if a else f"{abs(a - b)} off"
    return f"{new} where {old} is stored: {off}, {relative:.3%} allowed"


def text_difference(old: str, new: str, limits: Limits) -> str | None:
    """Return where two texts differ, or None where they agree."""
    (words, numbers), (new_words, new_numbers) = split(old), split(new)
    for was, now in zip(words, new_words, strict=False):
        if was != now:
            return f"words differ: {now.strip()[:80]!r} where {was.strip()[:80]!r} is stored"
    if len(numbers) != len(new_numbers):
        return f"{len(new_numbers)} numbers where {len(numbers)} are stored"
    pairs = zip(numbers, new_numbers, strict=True)
    return "; ".join(filter(None, (number_difference(a, b, limits) for a, b in pairs))) or None


def pixels(data: str) -> np.ndarray:
    """Decode a picture, base64, to float32 [H, W, 3] on white, in 0 to 255."""
    picture = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return np.asarray(Image.alpha_composite(white, picture).convert("RGB"), np.float32)


def picture_difference(old: str, new: str, limits: Limits) -> str | None:
    """Return how far apart two pictures are, or None where they agree."""
    a, b = pixels(old), pixels(new)
    (height, width), (new_height, new_width) = a.shape[:2], b.shape[:2]
    if a.shape != b.shape:
        return f"{new_width}x{new_height} pixels where {width}x{height} is stored"
    gap = np.abs(a - b).mean(axis=2)
    corners = [(y, x) for y in range(0, height, SIDE) for x in range(0, width, SIDE)]
    worst, y, x = max((gap[y : y + SIDE, x : x + SIDE].mean(), y, x) for y, x in corners)
    if 2 * b.std() < a.std():
        return f"{width}x{height}, blank: deviation {b.std():.1f} where {a.std():.1f} is stored"
    if gap.mean() <= limits[PICTURE] and worst <= limits[TILE]:
        return None
    return (
        f"{width}x{height}, mean difference {gap.mean():.2f} of 255 ({limits[PICTURE]:g} allowed); "
        f"worst {SIDE}x{SIDE} tile at x={x}, y={y}: {worst:.1f} ({limits[TILE]:g} allowed)"
    )


def texts(outputs: list[Output]) -> dict[str, list[tuple[Any, str]]]:
    """Return where the texts of outputs stand, in order, by stream or MIME type."""
    found = defaultdict(list)
    for output in outputs:
        if output.output_type == "stream":
            found[output.name].append((output, "text"))
        for mime, value in output.get("data", {}).items():
            if isinstance(value, str) and mime != "image/svg+xml":  # nbval compares those exactly
                found[mime].append((output.data, mime))
    return found


class Cell(IPyNbCell):
    """A cell whose outputs are compared within its limits."""

    limits: Limits
    reasons: dict[str, list[str]]

    def runtest(self) -> None:
        """Run the cell; after a notebook's last one, compare the live figures too."""
        self.parent.running, self.parent.to_clear = self, False
        super().runtest()
        if [item for item in self.session.items if item.parent is self.parent][-1] is self:
            self.parent.compare_live()

    def compare_outputs(
        self, test: list[Output], ref: list[Output], skip_compare: tuple[str, ...] | None = None
    ) -> bool:
        """Tell whether new outputs agree with the stored; a later cell may still update them."""
        shown = {id(data) for nodes in self.parent.displays.values() for data in nodes}
        if any(id(output.get("data")) in shown for output in test):
            self.parent.live.append((self, test, ref))
            return True
        return self.agree(test, ref, skip_compare)

    def agree(
        self, test: list[Output], ref: list[Output], skip_compare: tuple[str, ...] | None = None
    ) -> bool:
        """Compare as nbval does, after making equal what agrees within the limits."""
        self.reasons = defaultdict(list)
        test = copy.deepcopy(test)
        new = texts(test)
        for key, stored in texts(ref).items():
            difference = picture_difference if key in PICTURES else text_difference
            for number, ((a, old), (b, now)) in enumerate(zip(stored, new[key], strict=False), 1):
                reason = difference(self.sanitize(a[old]), self.sanitize(b[now]), self.limits)
                if reason:
                    self.reasons[key].append(f"  {key}, number {number}: {reason}")
                else:
                    b[now] = a[old]
        return bool(super().compare_outputs(test, ref, skip_compare))

    def format_output_compare(self, key: str, left: Any, right: Any) -> None:
        """Report the reasons, and for texts nbval's own comparison below them."""
        self.comparison_traceback.extend(self.reasons[key])
        if key not in PICTURES:
            super().format_output_compare(key, left, right)


class Notebook(IPyNbFile):
    """A notebook whose pictures are compared and whose live figures are followed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.skip_compare = tuple(key for key in self.skip_compare if key not in PICTURES)
        self.displays: dict[str, list[Output]] = defaultdict(list)  # what a display id's show
        self.live: list[tuple[Cell, list[Output], list[Output]]] = []  # cell, outputs, stored
        self.running: Any = None
        self.to_clear = False  # before the next output

    def collect(self) -> Iterator[Cell]:
        """Return the code cells, each with its limits.

        Raises:
            CollectError: at a cell that would not be run or compared, or whose tags are wrong.
        """
        for item in super().collect():
            options = item.options
            try:
                limits = limits_of(item.cell.metadata.get("tags", []))
                unrun = item.cell.execution_count is None  # which nbval passes uncompared
                if unrun or options["skip"] or options["check_exception"] or not options["check"]:
                    raise ValueError("every cell is run, compared and free of errors, this is not")
            except ValueError as error:
                raise self.CollectError(f"{self.name}, {item.name}: {error}") from error
            cell = Cell.from_parent(
                self, name=item.name, cell_num=item.cell_num, cell=item.cell, options=options
            )
            cell.limits = limits
            yield cell

    def setup(self) -> None:
        """Start the kernel, to run cells as nbclient does: without a history `;` hides nothing."""
        super().setup()
        execute: Callable[..., str] = self.kernel.kc.execute
        self.kernel.execute_cell_input = partial(execute, store_history=True, stop_on_error=False)

    def get_kernel_message(self, timeout: float | None = None, stream: str = "iopub") -> Any:
        """Return the next message, after doing what nbval leaves out: updates and clearing."""
        while True:
            message = super().get_kernel_message(timeout, stream)
            kind, content = message["msg_type"], message["content"]
            if kind == "clear_output":
                self.to_clear = content["wait"]
                if not self.to_clear:
                    self.running.test_outputs.clear()
                continue
            if self.to_clear and kind in ("stream", "display_data", "execute_result", "error"):
                self.running.test_outputs.clear()
                self.to_clear = False
            name = (content.get("transient") or {}).get("display_id")
            if name:
                # nbval keeps this very node among the cell's outputs, so an update reaches it.
                content["data"] = nbformat.from_dict(content["data"])
                for shown in self.displays[name]:
                    shown.clear()
                    shown.update(copy.deepcopy(content["data"]))
                if kind != "update_display_data":
                    self.displays[name].append(content["data"])
            if kind != "update_display_data":
                return message

    def compare_live(self) -> None:
        """Compare the cells with live figures as the last cell left them."""
        differ = [
            "\n".join([f"Cell {cell.cell_num}:", *cell.comparison_traceback])
            for cell, outputs, stored in self.live
            if not cell.agree(outputs, stored)
        ]
        if differ:
            self.running.raise_cell_error(
                "live outputs differ after this, the last cell", "\n".join(differ)
            )


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: Any) -> Generator[None, list[Any], list[Any]]:
    """Put our notebook in the place of nbval's."""
    found = yield
    return [
        Notebook.from_parent(parent, path=file_path) if type(item) is IPyNbFile else item
        for item in found
    ]
