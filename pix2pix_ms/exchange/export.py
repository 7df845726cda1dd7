"""Export of a trained network: weights with a config.json, or the graph it computes."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

from pix2pix_ms.config.settings import Direction
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.files import appearing_whole, check_new, check_suffix, held, replace_text
from pix2pix_ms.training import checkpoints, weights

SEGMENTER = ("segmenter",)
Format = Literal["safetensors", "mindir", "onnx"]
FORMATS: tuple[Format, ...] = get_args(Format)
GRAPHS: dict[Format, str] = {"mindir": "mindir", "onnx": "onnx_graph"}  # the modules that write


def export_as(
    source: Path, out: Path, kind: Format | None = None, force: bool = False, **choices: Any
) -> tuple[Path, ...]:
    """Write the network of a checkpoint in one of three formats; return the files.

    `export` writes safetensors; mindir and onnx are the graph of a generator, with weights in
    float32, and run without this package.

    Args:
        source: as `checkpoints.file_of` takes it.
        out: a path ending in the format's name.
        kind: the format; unless given, that of the ending.
        force: replace files that are there.
        choices: for a graph, what `frozen.freeze` takes, and `direction`: which of CycleGAN's two.

    Raises:
        Pix2PixError: if the source cannot be read, it or the ending does not fit the format, a
            choice is impossible, or a file exists.
    """
    kind = format_of(out, kind)
    choices = {name: value for name, value in choices.items() if value is not None}
    if kind == "safetensors":
        for name in choices:
            raise Pix2PixError(
                f"{name}: expected it with a graph, .mindir or .onnx, found {out.name}, which "
                "holds weights alone; leave it out, or change --out"
            )
        return export(source, out, force)
    check_new(out, force=force)
    export_graph(source, out, kind, **choices)
    return (out,)


@contextmanager
def checkpoint_for(out: Path, force: bool = False) -> Iterator[tuple[Path, list[Path]]]:
    """Give the checkpoint to write, and the files there will be.

    It is `out`, or, where that ends in .safetensors, one that is exported to it at the end.

    Raises:
        Pix2PixError: if `out` has another ending, or a file exists.
    """
    check_suffix(out, (checkpoints.SUFFIX, weights.SUFFIX), "change it")
    files = [out] if out.suffix == checkpoints.SUFFIX else [out, beside(out)]
    check_new(*files, force=force)
    if out.suffix == checkpoints.SUFFIX:
        yield out, files
        return
    with held(out, is_file=True), TemporaryDirectory() as place:
        checkpoint = Path(place) / f"network{checkpoints.SUFFIX}"
        yield checkpoint, files
        export(checkpoint, out, force)


def beside(out: Path) -> Path:
    """Return where the settings of exported weights are."""
    return out.with_name("config.json")


def format_of(out: Path, kind: Format | None) -> Format:
    """Return the format a path ends in, which is `kind`, if given."""
    endings = {f".{name}": name for name in ((kind,) if kind else FORMATS)}
    check_suffix(out, endings, "change --out" + " or --format" * bool(kind))
    return endings[out.suffix]


def export_graph(
    source: Path, out: Path, kind: Format, direction: Direction | None = None, **choices: Any
) -> None:
    """Write the graph of a checkpoint's generator to `out`."""
    from pix2pix_ms.exchange.frozen import freeze

    try:
        writer = importlib.import_module(f"{__package__}.{GRAPHS[kind]}")
    except ModuleNotFoundError as error:
        raise Pix2PixError(
            f"{out}: expected the package {error.name} to write it with, found none; "
            f"install it: pip install {error.name}"
        ) from error
    network = freeze(*checkpoints.load_generator(source, direction), **choices)
    with appearing_whole(out) as writing:
        writer.write(network, writing)


def export(source: Path, out: Path, force: bool = False) -> tuple[Path, Path]:
    """Write the networks of a checkpoint that inference needs to `out`, with config.json beside it.

    `load_generator` and `load_segmenter` read their folder. Kernels are rounded to float16: half
    the size of a run's `epoch_NNN.ckpt`.

    Args:
        source: as `checkpoints.file_of` takes it.
        out: a path ending in `.safetensors`; each network has a folder of its own.
        force: replace files that are there.

    Returns:
        The two files.

    Raises:
        Pix2PixError: if the source cannot be read or has no such network, or a file exists.
    """
    format_of(out, "safetensors")
    check_new(out, beside(out), force=force)
    path = checkpoints.file_of(source)
    found, config = checkpoints.plain(*checkpoints.load(path)[:2])
    present = {name.split(".")[0] for name in found}
    networks = SEGMENTER if present >= {*SEGMENTER} else config.networks
    for network in networks:
        checkpoints.check_holds(network, found, path)
    arrays = {
        name: parameter.asnumpy()
        for name, parameter in found.items()
        if name.split(".")[0] in networks
    }
    with appearing_whole(out) as writing:
        weights.write(arrays, writing)
        replace_text(beside(out), config.to_json())  # first, as it says what they are
    return out, beside(out)
