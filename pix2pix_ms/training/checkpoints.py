"""Checkpoints: written atomically, and loaded only into networks they fit."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import ops

from pix2pix_ms.config.models import MODELS, imported, settings_from_json
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.config.settings import Direction, Settings
from pix2pix_ms.errors import DamagedError, Pix2PixError
from pix2pix_ms.machine.files import SHIPPED, SHIPPED_GENERATOR, appearing_whole
from pix2pix_ms.training import weights as weights_file

CHECKSUM = b"crc_num"  # a checkpoint ends with this and ten bytes of the CRC-32
SUFFIX = ".ckpt"
AVERAGE = "average."  # before the names of averaged weights
# How to read each part of a run's position from a checkpoint.
POSITION: dict[str, Callable[[Any], Any]] = {
    "epoch": int,
    "step": int,
    "losses": lambda losses: losses.asnumpy(),
    "log": str,
}
# The parameters that --from copies: those of networks, not of optimisers and image pools.
NETWORK = re.compile("(generator|mapping|encoder|discriminator|average)[._]")

SHIPPED_SEGMENTER = SHIPPED / "segmenter"


def last_of(run_folder: Path) -> Path:
    return run_folder / "checkpoints" / f"last{SUFFIX}"


def previous_of(run_folder: Path) -> Path:
    return last_of(run_folder).with_name(f"previous{SUFFIX}")


def best_of(run_folder: Path) -> Path:
    return last_of(run_folder).with_name(f"best{SUFFIX}")


def kept_best(run_folder: Path) -> Path:
    """Return the best checkpoint of a run, as `keep_best` has kept it.

    Raises:
        Pix2PixError: if there is none.
    """
    if run_folder.is_file():
        raise Pix2PixError(f"{run_folder}: expected the folder of a run with --best, found a file")
    if not (path := best_of(run_folder)).is_file():
        raise Pix2PixError(
            f"{path}: expected the best checkpoint of a run, found none; train with --keep-best, "
            "or leave --best out"
        )
    return path


def file_of(place: Path) -> Path:
    """Return a file itself; of a folder, its run's last checkpoint or its exported network."""
    if not place.is_dir():
        return place
    exported = list(place.glob(f"*{weights_file.SUFFIX}"))
    trained = [file for file in (last_of(place), previous_of(place)) if file.is_file()]
    found = trained[:1] or exported
    if len(found) != 1:
        raise Pix2PixError(
            f"{place}: expected a run, with {last_of(Path())}, or one exported network, found "
            f"{len(exported)} {weights_file.SUFFIX}; name the file"
        )
    return found[0]


def shipped_generator() -> Path:
    if not SHIPPED_GENERATOR.is_dir():
        raise Pix2PixError(
            f"{SHIPPED_GENERATOR}: expected the generator that comes with a clone, found none; "
            "name one with --checkpoint"
        )
    return SHIPPED_GENERATOR


def save(
    parameters: Iterable[ms.Parameter],
    path: Path,
    config: Settings,
    older: Path | None = None,
    **position: int | str | np.ndarray,
) -> None:
    """Write parameters, the config and the run's position to one file, atomically.

    `mindspore.load_checkpoint` reads it; `config` in it is the settings as JSON text.

    Args:
        older: where to move the checkpoint that `path` has had until then.

    Raises:
        OSError: if it cannot be written; it names `path`.
    """
    rows = [{"name": p.name, "data": p} for p in parameters]
    extra = {
        name: ms.Tensor(value) if isinstance(value, np.ndarray) else value
        for name, value in position.items()
    }
    with appearing_whole(path, older) as writing, unlogged():
        try:
            ms.save_checkpoint(
                rows, str(writing), append_dict={"config": config.to_json(), **extra},
                crc_check=True,
            )  # fmt: skip
        finally:
            writing.with_suffix(".tmp").unlink(missing_ok=True)  # where MindSpore writes first


@contextmanager
def unlogged() -> Iterator[None]:
    """Keep MindSpore from logging an error that it also raises."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def load(path: Path) -> tuple[dict[str, ms.Parameter], Any, dict[str, Any]]:
    """Read a checkpoint: its parameters by name, its config, and the run's position.

    An exported network, `.safetensors` with a config.json beside it, has no position.

    Raises:
        Pix2PixError: if it is missing, damaged (a `DamagedError`), or from another program.
    """
    if not path.is_file():
        raise Pix2PixError(f"{path}: expected a checkpoint, found none; check the path")
    if path.suffix == weights_file.SUFFIX:
        return *load_exported(path), {}
    try:
        with unlogged():
            found: dict[str, Any] = ms.load_checkpoint(str(path), crc_check=True)
        if "config" in found and not has_checksum(path):
            raise ValueError("no checksum")  # cut off; MindSpore would load it
    except Exception as error:  # of a type that depends on MindSpore's release
        raise DamagedError(
            f"{path}: expected a MindSpore checkpoint, found a damaged file; "
            "copy it again, or train again"
        ) from error
    if not isinstance(found.get("config"), str):
        raise Pix2PixError(
            f"{path}: expected a checkpoint with the config of a pix2pix_ms run in it, "
            f"found {len(found)} parameters alone; load it with load_param_into_net yourself"
        )
    config = settings_from_json(found.pop("config"), str(path))
    position = {name: read(found.pop(name)) for name, read in POSITION.items() if name in found}
    return found, config, position


def load_exported(path: Path) -> tuple[dict[str, ms.Parameter], Any]:
    beside = path.with_name("config.json")
    if not beside.is_file():
        raise Pix2PixError(f"{path}: expected {beside.name} beside it, found none; copy it too")
    config = settings_from_json(beside.read_text(errors="replace"), str(beside))
    arrays = weights_file.read(path)
    return {name: ms.Parameter(ms.Tensor(a), name=name) for name, a in arrays.items()}, config


def plain(found: Mapping[str, ms.Parameter], config: Any) -> tuple[Mapping[str, ms.Parameter], Any]:
    """Return a checkpoint's parameters as they are exported, with settings to match.

    For pix2pix: the averaged generator instead of the trained one, with a U-Net's composed kernels
    folded to plain 4x4 ones (a plain ResNet has 3x3 ones). Other models are returned unchanged.
    """
    if config.model != Config.model:
        return found, config
    plain, folds = {}, config.generator == "unet"
    for name in sorted(found, key=lambda name: name.startswith(AVERAGE)):  # averages replace others
        array, trained = found[name].asnumpy(), name.removeprefix(AVERAGE)
        if folds and trained.startswith("generator.ups.") and array.shape[2:] == (3, 3):
            array = weights_file.fold(array)
        plain[trained] = ms.Parameter(ms.Tensor(array), name=trained)
    upsampling = "transposed" if folds else config.upsampling
    return plain, replace(config, upsampling=upsampling, ema=0.0)


def fill(
    wanted: Mapping[str, ms.Parameter],
    found: Mapping[str, ms.Parameter],
    path: Path,
    configs: tuple[Settings, Settings],
) -> None:
    """Copy every wanted parameter from those found, if all of them fit.

    Args:
        configs: the network's and the checkpoint's, for the error.

    Raises:
        Pix2PixError: if a parameter is missing, has another shape, or is not finite.
    """
    parts, present = (sorted({name.split(".")[0] for name in names}) for names in (wanted, found))
    if len(parts) > 1 and {*parts} > {*present}:
        raise Pix2PixError(
            f"{path}: expected all that a training goes on from, found {', '.join(present)} alone; "
            "put the run's own back, or start another run with --out"
        )
    for name, parameter in wanted.items():
        here = list(parameter.shape)
        there = list(found[name].shape) if name in found else "no such parameter"
        if here != there:
            raise Pix2PixError(
                f"{path}: expected {name} {here}, found {there}; "
                f"{difference(*configs)}; build the network from the checkpoint's config"
            )
        check_finite(found[name].asnumpy(), name, path)
    for name, parameter in wanted.items():
        ops.assign(parameter, found[name])  # a compiled network does not see set_data (2.8)


def check_finite(weights: np.ndarray, name: str, path: Path) -> None:
    """Raise Pix2PixError for weights that are NaN or infinite."""
    if not np.isfinite(weights).all():
        raise Pix2PixError(
            f"{path}: expected {name} to be finite numbers, found others; take an earlier "
            "checkpoint, or train again"
        )


def start_from(place: Path, parameters: Mapping[str, ms.Parameter], config: Settings) -> str:
    """Copy the networks of another run to a new model's parameters; return a line to report.

    A missing network is copied from its average, and a missing average from its network. A
    discriminator of other shapes, or with `generator_only` any, stays as it was initialised.
    """
    path = file_of(place)
    found, theirs, position = load(path)
    there = {}
    for name in filter(NETWORK.match, parameters):
        network, _, rest = name.partition(".")  # StarGAN's averages are named average.REST
        others = () if "discriminator" in network else (AVERAGE + name, AVERAGE + rest, rest)
        sources = [source for source in (name, *others) if source in found]
        if sources:
            there[name] = found[sources[0]]
    networks = dict.fromkeys(name.split(".")[0] for name in there)
    for name, parameter in parameters.items():  # one parameter that differs is enough
        fits = name in there and there[name].shape == parameter.shape and not config.generator_only
        if name.startswith("discriminator") and not fits:
            networks.pop(name.split(".")[0], None)
    check_holds(next(iter(parameters)).split(".")[0], networks or found, path)
    wanted = {name: p for name, p in parameters.items() if name.split(".")[0] in networks}
    fill(wanted, there, path, (config, theirs))
    epoch = f", epoch {position['epoch']}" if "epoch" in position else ""
    return f"starts from {place}{epoch}: {', '.join(networks)}"


def difference(network: Settings, checkpoint: Settings) -> str:
    if network.model != checkpoint.model:
        return f"the network is of {network.model}, the checkpoint of {checkpoint.model}"
    ours, theirs = asdict(network), asdict(checkpoint)
    unequal = [name for name in network.architecture if ours[name] != theirs[name]]
    if not unequal:
        return "their configs agree"
    here = ", ".join(f"{name} {ours[name]}" for name in unequal)
    there = ", ".join(f"{name} {theirs[name]}" for name in unequal)
    return f"the network has {here}, the checkpoint {there}"


def check_holds(network: str, found: Iterable[str], path: Path) -> None:
    """Raise Pix2PixError if a checkpoint has no parameters of that network."""
    networks = sorted({name.split(".")[0] for name in found})
    if network not in networks:
        raise Pix2PixError(
            f"{path}: expected a checkpoint with a {network}, found one with "
            f"{', '.join(networks) or 'no network'}; give another file"
        )


def load_generator(path: Path, direction: Direction | None = None) -> tuple[Any, Any]:
    """Return the generator of a checkpoint, as `file_of` finds it, and its config.

    Args:
        direction: which of CycleGAN's two; unless given, that of its config.

    Raises:
        Pix2PixError: as `file_of`, `load` and `fill` do, or if it does not translate images, or
            not in that direction.
    """
    path = file_of(path)
    return generator_of(*load(path)[:2], path, direction)


def generator_of(
    found: Mapping[str, ms.Parameter], config: Any, path: Path, direction: Direction | None
) -> tuple[Any, Any]:
    """Return the generator of a loaded checkpoint, and its config; raises as `load_generator`."""
    entry = MODELS[config.model]
    if entry.generator is None:
        raise Pix2PixError(
            f"{path}: expected a network that makes one image of another, as pix2pix and cyclegan "
            f"train, found {config.model}; see pix2pix-ms generate, or translate --domain"
        )
    found, config = plain(found, config)
    check_holds(config.networks[0], found, path)
    check_direction(direction, config, path)
    config = replace(config, direction=direction or config.direction)
    generator = imported(entry.generator)(config)
    fill(generator.parameters_dict(), found, path, (config, config))
    generator.set_train(False)
    return generator, config


def check_direction(direction: Direction | None, config: Any, path: Path) -> None:
    """Refuse the other direction of a model that has one generator."""
    if config.model == Config.model and direction not in (None, config.direction):
        raise Pix2PixError(
            f"{path}: expected the direction it was trained in, {config.direction}, found "
            f"{direction}; leave --direction out, or train another"
        )


def has_checksum(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - len(CHECKSUM) - 10, 0))
        return file.read().startswith(CHECKSUM)
