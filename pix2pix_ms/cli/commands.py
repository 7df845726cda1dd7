"""The command `pix2pix-ms`: a thin layer over the functions of the package.

MindSpore is imported inside the commands that compute, so `--help` answers at once.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import Any, Literal

import click

from pix2pix_ms import __version__
from pix2pix_ms.cli.options import (
    FILE,
    NAMED,
    PATH,
    SIGNALLED,
    Friendly,
    config_option,
    config_options,
    device_option,
    direction_option,
    mode_option,
    model_options,
    prepare_streams,
    say,
    seed_or_each,
    settle_streams,
)
from pix2pix_ms.config.models import MODELS
from pix2pix_ms.config.pix2pix import PRESETS, SEGMENTER, Config, segmenter_config
from pix2pix_ms.config.settings import Direction
from pix2pix_ms.errors import Pix2PixError


@click.group(cls=Friendly, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pix2pix-ms")
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
def command(debug: bool) -> None:
    """Translate images to images with pix2pix, in MindSpore.

    A first look: `pix2pix-ms train`, then open the picture its last line names. With images of
    your own: `pix2pix-ms prepare PAIRS RECORDS`, then `pix2pix-ms train --data RECORDS`.
    """


@command.command()
@click.argument("source", type=PATH)
@click.argument("out_folder", type=PATH)
@click.option("--make", help="Photos only: make A of each as gray, edges or lab (colourisation).")
@click.option("--channels", type=(int, int), metavar="A B", help="1 to 4 of each [3 3].")
@click.option("--swap", is_flag=True, help="B is on the left, or in the folder A.")
@click.option("--halves", is_flag=True, help="Cut any even width down the middle.")
@click.option("--shrink", type=int, metavar="PIXELS", help="Shrink to this shorter side.")
@click.option("--split", default="train", show_default=True, help="Name for a flat folder.")
@click.option("--val-ratio", default=0.0, show_default=True, help="Share of train to become val.")
@click.option("--seed", default=0, show_default=True, help="Draws that share.")
@click.option("--skip-unpaired", is_flag=True, help="Leave out files without a partner.")
@click.option("--unpaired", is_flag=True, help="No pairs: each subfolder is a domain of images.")
def prepare(
    source: Path,
    out_folder: Path,
    split: str,
    val_ratio: float,
    seed: int,
    skip_unpaired: bool,
    **settings: Any,
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

    recipe = Recipe(**settings)
    for path in preparing.prepare(
        source, out_folder, split, val_ratio, seed, recipe, skip_unpaired, report=say
    ):
        kind = "images" if recipe.unpaired else "pairs"
        say(f"{path}: {inspect(path).rows} {kind}")


@command.command()
@click.option("--model", type=click.Choice(list(MODELS)), help="What to train [pix2pix].")
@click.option("--preset", "preset_name", type=click.Choice(list(PRESETS)), help="[quick]")
@click.option("--data", type=PATH, help="Records or images [made on the spot].")
@click.option("--out", type=PATH, help="Run folder [runs/PRESET, or runs/MODEL-PRESET].")
@click.option("--from", "start_from", type=NAMED, help="Run or network to start a new run with.")
@click.option("--resume", is_flag=True, help="Continue the run in --out, or start it.")
@click.option("--distributed", is_flag=True, help="Train together with others, started by msrun.")
@model_options
def train(
    model: str | None,
    preset_name: str | None,
    data: Path | None,
    out: Path | None,
    resume: bool,
    distributed: bool,
    **settings: Any,
) -> None:
    """Train a model and leave a run folder: config, log, sample grids, loss plot, checkpoints.

    Without --data pix2pix trains on procedural facades, made on the spot, cyclegan on facades and
    label maps that do not belong together, stargan on facades in several styles, and the others on
    handwritten digits. --data takes a MindRecord file, a folder with train.mindrecord (and
    val.mindrecord), or a folder of images as `prepare` takes it. In brackets stand the values of
    the paper; presets change some of them. --from has the settings of what it starts with, and with
    --preset the architecture alone. With --distributed this is one of the workers of
    MindSpore's msrun, each with its own device and its share of every batch.
    """
    from pix2pix_ms.machine.ranks import launched
    from pix2pix_ms.training.run import Run
    from pix2pix_ms.training.start import start

    folder = out or Path("runs") / "-".join(filter(None, (model, preset_name or "quick")))
    given = {name: value for name, value in settings.items() if value is not None}
    if distributed:
        given["ranks"] = launched()
    start(Run(folder), model, preset_name, data, resume, given, resume_command(sys.argv[1:]), say)


def resume_command(words: list[str]) -> str:
    """Return the command that goes on with a training that these words began."""
    begin = "msrun … .venv/bin/pix2pix-ms" if "--distributed" in words else "pix2pix-ms"
    return f"{begin} {shlex.join([*words, *['--resume'] * ('--resume' not in words)])}"


@command.command()
@click.argument("inputs", nargs=-1, required=True, type=PATH)
@click.option("--out", required=True, type=PATH, help="Folder for the PNG files.")
@click.option(
    "--checkpoint",
    type=PATH,
    help="Checkpoint file, run folder or exported network [checkpoints/facades-128, which ships].",
)
@mode_option
@click.option("--side-by-side", is_flag=True, help="Put the input to the left of the result.")
@click.option("--pairs", is_flag=True, help="Inputs are side-by-side pairs: take the input half.")
@click.option(
    "--fit",
    type=click.Choice(["resize", "pad"]),
    help="How an image of another shape comes to the network's: squeezed, or its edges mirrored "
    "[resize, or pad where the network was trained so].",
)
@direction_option
@click.option("--domain", help="What to turn images into, with a checkpoint of stargan.")
@click.option("--reference", type=FILE, help="stargan: an image of that domain, for its style.")
@click.option("--seed", type=seed_or_each, metavar="N|each", help="Draws dropout [as trained] or "
              "stargan's style [0], one for all images; each: its own.")  # fmt: skip
@click.option("--no-dropout", "dropout", is_flag=True, flag_value=False, default=True,
              help="Mode paper: the image's own statistics alone.")  # fmt: skip
@device_option
def translate(
    inputs: tuple[Path, ...],
    out: Path,
    checkpoint: Path | None,
    mode: Literal["paper", "eval"] | None,
    side_by_side: bool,
    pairs: bool,
    fit: Literal["resize", "pad"] | None,
    direction: Direction | None,
    domain: str | None,
    reference: Path | None,
    seed: int | Literal["each"] | None,
    dropout: bool,
    device: str,
) -> None:
    """Translate images, or all images of folders, to PNG files of the same sizes in --out.

    Without --checkpoint they are label maps in the colours of CMP Facade, and become photos.
    """
    from pix2pix_ms.machine.device import choose_device
    from pix2pix_ms.pix2pix.translate import Style
    from pix2pix_ms.pix2pix.translate import translate as translate_files
    from pix2pix_ms.training.checkpoints import shipped_generator

    if domain is None and reference is not None:
        raise Pix2PixError(
            f"{reference}: expected the domain of the reference, found none; give it with --domain"
        )
    choose_device(device)
    checkpoint = checkpoint or shipped_generator()
    style = Style(domain, reference) if domain is not None else None
    written = translate_files(
        inputs, out, checkpoint, mode, side_by_side, pairs, fit, direction, style, seed, dropout
    )
    say(f"{len(written)} images in {out}")


@command.command()
@click.argument("checkpoint", type=PATH)
@click.option("--out", required=True, type=PATH, help="Folder for the PNG files.")
@click.option("--count", type=click.IntRange(1), default=16, show_default=True, help="How many.")
@click.option("--label", type=int, help="The class, of a conditional generator [all in turn].")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The noise.")
@device_option
def generate(
    checkpoint: Path, out: Path, count: int, label: int | None, seed: int, device: str
) -> None:
    """Make images from noise with a CHECKPOINT or run of gan, dcgan, lsgan or wgan."""
    from pix2pix_ms.family.gan.generate import generate as generate_files
    from pix2pix_ms.machine.device import choose_device

    choose_device(device)
    say(f"{len(generate_files(checkpoint, out, count, label, seed))} images in {out}")


@command.command()
@click.argument("source", type=PATH)
@click.argument("out", type=PATH)
@click.option(
    "--discriminator",
    type=PATH,
    help="The discriminator's .pth: read with a generator's SOURCE, or written beside its OUT.",
)
@config_option("size", "at which the U-Net ends in one pixel")
@config_option("direction", Config.direction)
@config_option("dropout", Config.dropout)
def convert(source: Path, out: Path, discriminator: Path | None, **settings: Any) -> None:
    """Convert weights of PyTorch's pix2pix (.pth) to a checkpoint (.ckpt), or back.

    SOURCE is latest_net_G.pth or latest_net_D.pth of pytorch-CycleGAN-and-pix2pix, and OUT a .ckpt
    that `translate --checkpoint` takes; or SOURCE is a checkpoint, a run or an exported network,
    and OUT a .pth that the reference loads. PyTorch is not needed, and nothing in a .pth is run.
    Architecture is read off the weights; the last three options say what they do not tell.
    """
    from pix2pix_ms.exchange.pytorch import convert as convert_file

    given = {name: value for name, value in settings.items() if value is not None}
    for line in convert_file(source, out, discriminator, **given):
        say(line)


@command.command()
@click.argument("checkpoint", type=PATH)
@click.option("--out", required=True, type=PATH, help="The file; its ending is the format.")
@click.option(
    "--format", "kind", type=click.Choice(["safetensors", "mindir", "onnx"]), help="[by --out]"
)
@click.option("--size", type=click.IntRange(1), help="Graph: side of the images [the network's].")
@click.option("--height", type=click.IntRange(1), help="Graph: their height, where it is not size.")
@click.option("--width", type=click.IntRange(1), help="Graph: their width, where it is not size.")
@click.option(
    "--mode",
    type=click.Choice(["paper", "eval"]),
    help="Graph: paper: every image's own statistics; eval: the moving ones [paper].",
)
@click.option(
    "--dropout-seed",
    type=click.IntRange(0),
    help="Graph: dropout with masks of this seed, the same for every image [no dropout].",
)
@direction_option
def export(
    checkpoint: Path,
    out: Path,
    kind: Literal["safetensors", "mindir", "onnx"] | None,
    **choices: Any,
) -> None:
    """Write the network of CHECKPOINT for others: weights, or the graph it computes.

    A .safetensors holds the kernels rounded to half precision, and has a config.json beside it:
    --checkpoint and --segmenter take their folder, which must be their own. A .mindir (for
    MindSpore's GraphCell) or .onnx (for any runtime) holds a generator's graph in float32 and runs
    without this package. It takes and gives images as NCHW in [-1, 1].
    """
    from pix2pix_ms.exchange.export import export_as

    given = {name: value for name, value in choices.items() if value is not None}
    for path in export_as(checkpoint, out, kind, **given):
        say(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


@command.command()
@click.argument("checkpoint", type=PATH)
@click.option("--data", required=True, type=PATH, help="Pairs, as records or images.")
@click.option("--json", "json_file", type=FILE, help="Write the numbers to this file.")
@click.option("--save-images", type=PATH, help="New folder for PNGs: input, generated, target.")
@click.option(
    "--segmenter",
    type=PATH,
    help="Checkpoint of a segmenter, to read photos with [checkpoints/segmenter, which ships].",
)
@click.option(
    "--target",
    type=click.Choice(["labels", "photos", "other"]),
    help="What the target images are [judged by the colours of the first pair].",
)
@direction_option
@mode_option
@device_option
def evaluate(
    checkpoint: Path,
    data: Path,
    json_file: Path | None,
    save_images: Path | None,
    segmenter: Path | None,
    target: Literal["labels", "photos", "other"] | None,
    direction: Direction | None,
    mode: Literal["paper", "eval"] | None,
    device: str,
) -> None:
    """Measure CHECKPOINT, a file, a run folder or an exported network, on held-out pairs.

    --data takes a MindRecord file, a folder of records, or a folder of images as `prepare` takes
    it; of splits it takes val, else test.
    """
    from pix2pix_ms.machine.device import choose_device
    from pix2pix_ms.machine.files import replace_text
    from pix2pix_ms.pix2pix.measures.report import check_replaceable, evaluate_checkpoint

    if json_file is not None:
        check_replaceable(json_file)
    choose_device(device)
    report = evaluate_checkpoint(
        checkpoint, data, mode or "paper", segmenter, target, save_images, direction
    )
    say(report.table())
    if json_file is not None:
        replace_text(json_file, report.to_json())


@command.command()
@click.option("--data", required=True, type=PATH, help="Records of photos and label maps.")
@click.option("--out", required=True, type=FILE, help="Checkpoint file to write.")
@config_options(SEGMENTER, "size", "ngf", "epochs", "seed", "device")
def segmenter(data: Path, out: Path, **settings: Any) -> None:
    """Train the segmenter that `evaluate` reads generated photos with.

    --data takes a MindRecord file, or a folder with train.mindrecord (and val.mindrecord), of
    pairs of a photo and a label map in the colours of CMP Facade.
    """
    from pix2pix_ms.data.pair_batches import training_data
    from pix2pix_ms.machine.device import choose_device
    from pix2pix_ms.pix2pix.measures.segmenter import train_segmenter

    given = {name: value for name, value in settings.items() if value is not None}
    config = segmenter_config(**given)
    choose_device(config.device)
    train_segmenter(config, training_data(data, config.seed), out, report=say)
    say(f"segmenter in {out}")


@command.command()
@click.argument("name")
@click.option("--out", type=PATH, default=Path("data"), show_default=True, help="Folder.")
def download(name: str, out: Path) -> None:
    """Fetch a published data set: mindspore-facades, facades, …; an interrupted one goes on."""
    from pix2pix_ms.data import download as downloading

    say(f"ready: {downloading.download(name, out)}")


@command.command()
@click.option("--check", is_flag=True, help="Train 3 steps of a small pix2pix, and say all of it.")
@click.option("--device", help="What to compute on, with --check: auto, CPU, GPU or Ascend [auto].")
def info(check: bool, device: str | None) -> None:
    """Print versions and devices: what a report of a problem should say."""
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
    """Run the command, whatever its standard streams are."""
    prepare_streams()
    try:
        command()
    except OSError:  # click's own words on standard error
        sys.exit(1)
    except SystemExit as end:
        if isinstance(end.code, int) and end.code > SIGNALLED:
            settle_streams()
            os._exit(end.code)  # MindSpore (2.8), half imported, does not survive a proper end
        raise
    finally:
        settle_streams()
