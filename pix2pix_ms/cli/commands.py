"""The command `pix2pix-ms`: a thin layer over the functions of the package.

MindSpore is imported inside the commands that compute, so `--help` answers at once.
"""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import click

from pix2pix_ms import __version__
from pix2pix_ms.cli import console
from pix2pix_ms.cli.console import say
from pix2pix_ms.cli.options import (
    AT_LEAST_0,
    AT_LEAST_1,
    FROM,
    PORT,
    Best,
    Device,
    Direction,
    Force,
    Mode,
    config_options,
    declared,
    model_options,
)
from pix2pix_ms.config.models import MODELS
from pix2pix_ms.config.pix2pix import PRESETS, SEGMENTER, Config
from pix2pix_ms.errors import Pix2PixError


@click.group(cls=console.Friendly, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pix2pix-ms")
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
def command(debug: bool) -> None:
    """Translate images to images with pix2pix, in MindSpore.

    A first look: `pix2pix-ms train`, then open the page its last line names. With images of
    your own: `pix2pix-ms prepare PAIRS RECORDS`, then `pix2pix-ms train --data RECORDS`.
    """


@declared(command)
def prepare(
    source: Path,
    out_folder: Path,
    *,
    make: Annotated[str | None, "Photos only: make A from each, as gray, edges or lab."] = None,
    channels: Annotated[tuple[int, int] | None, "1 to 4 of each [3 3].", {"metavar": "A B"}] = None,
    pair: Annotated[
        tuple[str, str] | None, "Names of A and B: '{}_IR' '{}_VIS'.", {"metavar": "A B"}
    ] = None,
    swap: Annotated[bool, "B is on the left, or in the folder A."] = False,
    halves: Annotated[bool, "Cut any even width down the middle."] = False,
    shrink: Annotated[int | None, "Shrink to this shorter side.", {"metavar": "PIXELS"}] = None,
    split: Annotated[str, "Split name of a flat folder."] = "train",
    val_ratio: Annotated[float, "Fraction of train to hold out as val."] = 0.0,
    seed: Annotated[int, "Seed of that choice."] = 0,
    skip_unpaired: Annotated[bool, "Leave out files without a partner."] = False,
    unpaired: Annotated[bool, "No pairs: each subfolder is a domain of images."] = False,
    force: Force = False,
) -> None:
    """Write the pairs in SOURCE to OUT_FOLDER/train.mindrecord, and val and test likewise.

    SOURCE holds side-by-side images (left A, right B), or folders A and B with equal names, or
    photos (--make), or a folder for each domain (--unpaired); or folders train, val and test of
    any of these, or trainA, trainB and so on.
    What was found is reported before anything is written.
    """
    from pix2pix_ms.data.prepare import prepare as preparing
    from pix2pix_ms.data.prepare.recipe import Recipe
    from pix2pix_ms.data.records import inspect

    recipe = Recipe(channels, make, pair, swap, halves, shrink, unpaired)
    for path in preparing.prepare(
        source, out_folder, split, val_ratio, seed, recipe, skip_unpaired, say, force
    ):
        kind = "images" if unpaired else "pairs"
        say(f"{path}: {inspect(path).rows} {kind}")


@declared(command, *model_options())
def train(
    *,
    model: Annotated[str | None, "What to train [pix2pix].", {"type": click.Choice(MODELS)}] = None,
    preset: Annotated[str | None, "[quick]", {"type": click.Choice(PRESETS)}] = None,
    data: Annotated[Path | None, "Records or images [made on the spot]."] = None,
    out: Annotated[Path | None, "Run folder [runs/PRESET, or runs/MODEL-PRESET]."] = None,
    start_from: Annotated[str | None, "Run, network or .pth to start a new run with.", FROM] = None,
    resume: Annotated[bool, "Continue the run in --out, or start it."] = False,
    distributed: Annotated[bool, "Train together with others, started by msrun."] = False,
    **settings: Any,
) -> None:
    """Train a model and leave a run folder: config, log, sample grids, checkpoints, a page to open.

    Without --data pix2pix trains on procedural facades, made on the spot, cyclegan on facades and
    label maps without pairs, stargan on facades in several styles, and the others on handwritten
    digits. --data takes a MindRecord file, a folder with train.mindrecord (and val.mindrecord), or
    a folder of images as `prepare` takes it. Brackets show the paper's values; presets change some
    of them. --from takes its settings from the run or network too, or with --preset its
    architecture alone. With --distributed this is one of the workers of MindSpore's msrun, each
    with a device and a part of every batch.
    """
    from pix2pix_ms.machine.pytorch_file import SUFFIXES
    from pix2pix_ms.machine.ranks import launched
    from pix2pix_ms.training.run import Run
    from pix2pix_ms.training.start import start

    folder = out or Path("runs") / "-".join(filter(None, (model, preset or "quick")))
    if start_from is not None:
        settings["start_from"] = start_from
        if Path(start_from).suffix in SUFFIXES:
            if distributed:
                raise Pix2PixError(
                    f"{start_from}: expected a checkpoint with --distributed, found weights of "
                    "PyTorch; turn them into one with pix2pix-ms convert"
                )
            settings["start_from"] = str(converted(Path(start_from), Run(folder), settings))
    if distributed:
        settings["ranks"] = launched()
    start(Run(folder), model, preset, data, resume, settings, resume_command(sys.argv[1:]), say)


def converted(weights: Path, run: Any, settings: dict[str, Any]) -> Path:
    """Convert PyTorch's weights to a checkpoint beside a run's folder, unless the run has begun."""
    from pix2pix_ms.exchange.pytorch import convert
    from pix2pix_ms.machine.device import choose_device

    folder = run.folder if run.folder.name else run.folder.absolute()
    checkpoint = folder.with_name(f"{folder.name}-from.ckpt")
    if not (run.exists() and checkpoint.exists()):
        choose_device(settings.get("device", Config.device))
        given = {name: settings[name] for name in ("size", "direction") if name in settings}
        convert(weights, checkpoint, force=True, **given)
    return checkpoint


def resume_command(words: list[str]) -> str:
    """Return the command that resumes a training started with these words."""
    begin = "msrun … .venv/bin/pix2pix-ms" if "--distributed" in words else "pix2pix-ms"
    return f"{begin} {shlex.join([*words, *['--resume'] * ('--resume' not in words)])}"


def seed_or_each(text: str) -> Any:
    """Read a seed, or the word each."""
    return text if text == "each" else click.IntRange(0)(text)


@declared(command)
def report(
    runs: tuple[Path, ...],
    *,
    out: Annotated[Path | None, "The file [report.html: in the run, for several here]."] = None,
    force: Force = False,
) -> None:
    """Make the page of a run anew, or set several runs side by side on one.

    It shows each epoch's sample grid, the curves and the settings in any browser, and needs no
    other file. `train` leaves one in its run.
    """
    from pix2pix_ms.training.page import report as write_report

    write_report(runs, out, force, say)


@declared(command)
def translate(
    inputs: tuple[Path, ...],
    *,
    out: Annotated[Path, "Folder for the PNG files."],
    checkpoint: Annotated[Path | None, "File, run or export [checkpoints/facades-256]."] = None,
    best: Best = False,
    mode: Mode = None,
    side_by_side: Annotated[bool, "Put the input to the left of the result."] = False,
    pairs: Annotated[bool, "Inputs are side-by-side pairs: take the input half."] = False,
    fit: Annotated[
        Literal["resize", "pad", "whole"] | None,
        "Images of another size: squeeze, mirror edges, or run on all pixels [as trained].",
    ] = None,
    direction: Direction = None,
    domain: Annotated[str | None, "stargan: what to turn images into."] = None,
    reference: Annotated[Path | None, "stargan: an image of that domain, for its style."] = None,
    seed: Annotated[
        int | Literal["each"] | None,
        "Seed of dropout [as trained] or stargan's style [0] for all images; each: one per image.",
        {"type": seed_or_each, "metavar": "N|each"},
    ] = None,
    no_dropout: Annotated[bool, "Mode paper: the image's own statistics, no dropout."] = False,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Translate images, or all images of folders, to PNG files of the same sizes in --out.

    Without --checkpoint, label maps in the colours of CMP Facade become photos.
    """
    from pix2pix_ms.machine.device import choose_device
    from pix2pix_ms.pix2pix import translate as translating
    from pix2pix_ms.training.checkpoints import kept_best, shipped_generator

    if domain is None and reference is not None:
        raise Pix2PixError(
            f"{reference}: expected the domain of the reference, found none; give it with --domain"
        )
    choose_device(device)
    checkpoint = checkpoint or shipped_generator()
    style = translating.Style(domain, reference) if domain is not None else None
    written = translating.translate(
        inputs, out, kept_best(checkpoint) if best else checkpoint, mode, side_by_side, pairs, fit,
        direction, style, seed, not no_dropout, force, say,
    )  # fmt: skip
    say(f"{len(written)} images in {out}")


@declared(command)
def generate(
    checkpoint: Path,
    *,
    out: Annotated[Path, "Folder for the PNG files."],
    count: Annotated[int, "How many.", AT_LEAST_1] = 16,
    label: Annotated[int | None, "The class, for a conditional generator [all in turn]."] = None,
    seed: Annotated[int, "Seed of the noise.", AT_LEAST_0] = 0,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Make images from noise with a CHECKPOINT or run of gan, dcgan, lsgan or wgan."""
    from pix2pix_ms.family.gan.generate import generate as generate_files
    from pix2pix_ms.machine.device import choose_device

    choose_device(device)
    say(f"{len(generate_files(checkpoint, out, count, label, seed, force))} images in {out}")


@declared(
    command,
    *config_options(
        size="at which the U-Net ends in one pixel",
        direction=Config.direction,
        dropout=Config.dropout,
    ),
)
def convert(
    source: Path,
    out: Path,
    *,
    discriminator: Annotated[Path | None, "D's .pth: read with SOURCE, written with OUT."] = None,
    force: Force = False,
    **settings: Any,
) -> None:
    """Convert weights of PyTorch's pix2pix or CycleGAN (.pth) to a checkpoint, or back.

    SOURCE is latest_net_G.pth or latest_net_D.pth of pytorch-CycleGAN-and-pix2pix, and OUT a .ckpt
    or .safetensors that `translate --checkpoint` takes; or SOURCE is a checkpoint, a run or an
    exported network, and OUT a .pth that the reference loads. PyTorch is not needed, and nothing in
    a .pth is run. The architecture is inferred from the weights; of the last three options that is
    so for a ResNet's dropout alone.
    """
    from pix2pix_ms.exchange.pytorch import convert as convert_file

    for line in convert_file(source, out, discriminator, force, **settings):
        say(line)


@declared(command)
def export(
    checkpoint: Path,
    *,
    out: Annotated[Path, "The file; its ending is the format."],
    format: Annotated[Literal["safetensors", "mindir", "onnx"] | None, "[by --out]"] = None,
    size: Annotated[int | None, "Graph: side of the images [the network's].", AT_LEAST_1] = None,
    height: Annotated[int | None, "Graph: their height, where it is not size.", AT_LEAST_1] = None,
    width: Annotated[int | None, "Graph: their width, where it is not size.", AT_LEAST_1] = None,
    mode: Annotated[
        Literal["paper", "eval"] | None,
        "Graph: paper: every image's own statistics; eval: the moving ones [paper].",
    ] = None,
    dropout_seed: Annotated[
        int | None,
        "Graph: dropout with masks of this seed, the same for every image [no dropout].",
        AT_LEAST_0,
    ] = None,
    direction: Direction = None,
    force: Force = False,
) -> None:
    """Write the network of CHECKPOINT for others: weights, or the graph it computes.

    A .safetensors holds the kernels rounded to half precision, with a config.json beside it:
    --checkpoint and --segmenter take their folder, one for each network. A .mindir (for
    MindSpore's GraphCell) or .onnx (for any runtime) holds a generator's graph in float32 and runs
    without this package. Its input and output are images as NCHW in [-1, 1].
    """
    from pix2pix_ms.exchange.export import export_as

    for path in export_as(
        checkpoint, out, format, force, size=size, height=height, width=width, mode=mode,
        dropout_seed=dropout_seed, direction=direction,
    ):  # fmt: skip
        say(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


@declared(command)
def draw(
    *,
    checkpoint: Annotated[Path | None, "File or run [checkpoints/facades-256]."] = None,
    port: Annotated[int | None, "Of the page's address [8000]; 0: any that is free.", PORT] = None,
    single_file: Annotated[Path | None, "Write the page to this file [of facades-128]."] = None,
    force: Force = False,
) -> None:
    """Serve a page on which a drawing becomes a building while it is drawn, to this machine alone.

    Boxes in the colours of CMP Facade are drawn, or pictures dropped on it; a network of grey or of
    edges gets a pen. With --single-file the page holds the network, in 8 bits, and needs no server;
    npm install onnxruntime-web has brought what runs it in a browser.
    """
    from pix2pix_ms.machine.files import SHIPPED, SHIPPED_GENERATOR, check_new

    if single_file is not None:
        check_new(single_file, force=force)
        if port is not None:
            raise Pix2PixError(f"port {port}: expected none with --single-file; leave one out")
    try:
        from pix2pix_ms.exchange.draw import network, server
        from pix2pix_ms.exchange.draw import single_file as writer
    except ModuleNotFoundError as error:
        raise Pix2PixError(
            f"draw: expected the package {error.name}, found none; pip install {error.name}"
        ) from error
    chosen = checkpoint or (SHIPPED_GENERATOR if single_file is None else SHIPPED / "facades-128")
    if single_file is None:
        with server.server_of(network.open_network(chosen), 8000 if port is None else port) as page:
            say(f"draw at http://{server.HERE}:{page.server_port} (Ctrl-C ends it)")
            page.serve_forever()
    else:
        writer.write(network.open_network(chosen), single_file)
        say(f"{single_file}: {single_file.stat().st_size / 1e6:.1f} MB")


@declared(command)
def evaluate(
    checkpoint: Path,
    *,
    data: Annotated[Path, "Pairs, as records or images."],
    best: Best = False,
    json: Annotated[Path | None, "Write the numbers to this file."] = None,
    save_images: Annotated[Path | None, "New folder for PNGs: input, generated, target."] = None,
    segmenter: Annotated[Path | None, "To segment photos with [checkpoints/segmenter]."] = None,
    target: Annotated[
        Literal["labels", "photos", "other"] | None,
        "What the target images are [judged by the colours of the first pair].",
    ] = None,
    direction: Direction = None,
    mode: Mode = None,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Measure CHECKPOINT, a file, a run folder or an exported network, on held-out pairs.

    --data takes a MindRecord file, a folder of records, or a folder of images as `prepare` takes
    it. The split is val, or else test.
    """
    from pix2pix_ms.machine.device import choose_device
    from pix2pix_ms.machine.files import check_new, replace_text
    from pix2pix_ms.pix2pix.measures.evaluate import evaluate_checkpoint
    from pix2pix_ms.training.checkpoints import kept_best

    if json is not None:
        check_new(json, force=force)
    choose_device(device)
    checkpoint = kept_best(checkpoint) if best else checkpoint
    report = evaluate_checkpoint(
        checkpoint, data, mode or "paper", segmenter, target, save_images, direction, force
    )
    say(report.table())
    if json is not None:
        replace_text(json, report.to_json())


@declared(
    command,
    *config_options(
        **{name: getattr(SEGMENTER, name) for name in ("size", "ngf", "epochs", "seed", "device")}
    ),
)
def segmenter(
    *,
    data: Annotated[Path, "Records of photos and label maps."],
    out: Annotated[Path, "Weights to write, .ckpt or .safetensors."],
    force: Force = False,
    **settings: Any,
) -> None:
    """Train the segmenter with which `evaluate` labels generated photos.

    --data takes a MindRecord file, or a folder with train.mindrecord (and val.mindrecord), of
    pairs of a photo and a label map in the colours of CMP Facade.
    """
    from pix2pix_ms.data.pair_batches import training_data
    from pix2pix_ms.exchange.export import checkpoint_for
    from pix2pix_ms.machine.device import choose_device
    from pix2pix_ms.pix2pix.measures.segmenter import train_segmenter

    config = replace(SEGMENTER, **settings)
    choose_device(config.device)
    with checkpoint_for(out, force) as (checkpoint, _):
        train_segmenter(config, training_data(data, config.seed), checkpoint, say, force)
    say(f"segmenter in {out}")


@declared(command)
def download(name: str, *, out: Annotated[Path, "Folder."] = Path("data")) -> None:
    """Download a published data set: mindspore-facades, facades, …; it can be resumed."""
    from pix2pix_ms.data import download as downloading

    say(f"ready: {downloading.download(name, out)}")


@declared(command)
def info(
    *,
    check: Annotated[bool, "Train 3 steps of a small pix2pix and report on them."] = False,
    device: Annotated[str | None, "With --check: auto, CPU, GPU or Ascend [auto]."] = None,
) -> None:
    """Print versions and devices, for a report of a problem."""
    import platform
    from importlib import metadata

    from pix2pix_ms.machine.device import TARGETS, is_present

    if device and not check:
        raise Pix2PixError(f"--device {device}: expected --check beside it; add it")
    present = ", ".join(target for target in TARGETS if is_present(target))
    versions = [f"{name} {metadata.version(name)}" for name in ("mindspore", "numpy")]
    say(f"pix2pix_ms {__version__}, {', '.join(versions)}")
    say(f"Python {platform.python_version()}, {platform.platform()}")
    say(f"devices: {present}")
    if check:
        from pix2pix_ms.cli.selfcheck import check_device

        check_device(device or "auto", report=say)


def main() -> None:
    """Run the command and leave with its exit status."""
    with console.settled():
        command()
