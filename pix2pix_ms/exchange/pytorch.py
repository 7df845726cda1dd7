"""Weights from PyTorch's pix2pix and back: its `.pth` files to our checkpoints, and ours to its.

`latest_net_G.pth` has the state_dict of the reference's generator, `latest_net_D.pth` that of its
discriminator. All arrays have the same layout; only the names differ (`exchange/pytorch_names.py`).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import Tensor, nn

from pix2pix_ms.config.family import CycleGANConfig
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.config.settings import Direction
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.exchange.export import checkpoint_for
from pix2pix_ms.exchange.pytorch_names import RESNET, SEEN, UNET, State, infer, reference_names
from pix2pix_ms.machine import pytorch_file
from pix2pix_ms.machine.files import check_new, check_suffix
from pix2pix_ms.pix2pix.nets.patchgan import PatchGAN
from pix2pix_ms.pix2pix.step import generator_of
from pix2pix_ms.training import checkpoints, weights

WAYS = f"conversion goes from {pytorch_file.SUFFIXES[0]} to {checkpoints.SUFFIX} or back"
NOT_INFERRED = ("size", "direction", "dropout")


def convert(
    source: Path,
    out: Path,
    discriminator: Path | None = None,
    force: bool = False,
    **settings: Any,
) -> list[str]:
    """Convert PyTorch's weights to a checkpoint, or a checkpoint or the last of a run to PyTorch's.

    Args:
        discriminator: the discriminator's `.pth`, read or written beside the generator's.
        force: replace files that are there.
        settings: those that cannot be inferred from a `.pth`, as for `to_checkpoint`.

    Returns:
        A line for each file written.

    Raises:
        Pix2PixError: if a file name does not fit, a file exists, or as the functions below raise.
    """
    from_torch = source.suffix in pytorch_file.SUFFIXES
    direction = None if from_torch else settings.pop("direction", None)  # of CycleGAN's two
    if not source.is_dir():
        check_suffix(source, (*pytorch_file.SUFFIXES, checkpoints.SUFFIX, weights.SUFFIX), WAYS)
    if discriminator:
        check_suffix(discriminator, pytorch_file.SUFFIXES, WAYS)
    if from_torch:
        sources = [source, discriminator] if discriminator else [source]
        with checkpoint_for(out, force) as (checkpoint, written):
            known = to_checkpoint(sources, checkpoint, settings)
        return [f"{file}: {listed(known)}" for file in written]
    check_suffix(out, pytorch_file.SUFFIXES, WAYS)
    check_new(*filter(None, (out, discriminator)), force=force)
    for name in settings:
        raise Pix2PixError(
            f"{name}: expected only where {' or '.join(pytorch_file.SUFFIXES)} is read, found it "
            f"for {source}, which knows its settings; leave it out"
        )
    files = from_checkpoint(source, out, discriminator, direction)
    return [f"{path}: {kind}" for kind, path in files.items()]


def listed(settings: Mapping[str, Any]) -> str:
    """Return settings as text: ngf 64, norm batch."""
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def to_checkpoint(
    sources: list[Path], out: Path, settings: Mapping[str, Any]
) -> dict[str, int | str | bool]:
    """Write the networks in PyTorch's files to one checkpoint; return their settings.

    Widths, depth, layers and normalisation are inferred. `settings` are the fields of Config that
    cannot be: `size` (unless given, that at which the U-Net ends in one pixel), `direction`,
    `dropout`.

    Raises:
        Pix2PixError: if a file has neither network, or the two do not fit together.
    """
    states = [(path, read_state(path)) for path in sources]
    inferred = infer_all(states)
    config = config_of(inferred, settings)
    networks = [filled(state, config, path) for path, state in states]
    checkpoints.save([p for network in networks for p in network.get_parameters()], out, config)
    return inferred | {name: getattr(config, name) for name in NOT_INFERRED}


def read_state(path: Path) -> dict[str, np.ndarray]:
    """Read a state_dict without DataParallel's prefix of names, and without step counts."""
    return {
        name.removeprefix("module."): array
        for name, array in pytorch_file.read(path).items()
        if not name.endswith("num_batches_tracked")
    }


def infer_all(states: Iterable[tuple[Path, State]]) -> dict[str, Any]:
    """Return the fields of Config that can be inferred from the networks in the files."""
    found: dict[str, Any] = {}
    for path, state in states:
        inferred = infer(state, path)
        if found and (found["norm"] != inferred["norm"] or found.keys() == inferred.keys()):
            raise Pix2PixError(
                f"{path}: expected the generator and the discriminator of one training, found "
                f"{listed(inferred)} beside {listed(found)}; give one file of each"
            )
        found |= inferred
    if SEEN in found:
        found["conditional"] = found.pop(SEEN) != found.get("target_channels", 3)
    return found


def config_of(inferred: Mapping[str, Any], settings: Mapping[str, Any]) -> Config:
    """Return the config of the networks, from inferred and given settings."""
    levels = inferred.get("levels")
    size = settings.get("size", 2**levels if levels else Config.size)
    fields = {**inferred, "size": size, **settings}
    fields |= {name: inferred[name] for name in ("dropout",) if name in inferred}  # a ResNet's
    fields["levels"] = None if levels and 2**levels == size else levels  # None: down to one pixel
    return Config(**fields)


def filled(state: State, config: Config, path: Path) -> nn.Cell:
    """Build the network of a state_dict and copy its arrays into it.

    Raises:
        Pix2PixError: naming the first array that is missing, unknown or of another shape.
    """
    network = generator_of(config) if UNET in state or RESNET in state else PatchGAN(config)
    names = reference_names(network, config)
    for parameter in network.get_parameters():
        if parameter.name in names:
            name = names[parameter.name]
            here = list(parameter.shape)
            there = list(state[name].shape) if name in state else "no such array"
            check_equal(path, name, here, there)
            checkpoints.check_finite(state[name], name, path)
            parameter.set_data(Tensor(state[name].astype(np.float32)))
    for name in sorted(state.keys() - names.values()):
        # PyTorch before 0.4 kept running statistics for instance norm, and never used them.
        if "running_" not in name or config.norm != "instance":
            check_equal(path, name, "no such array", list(state[name].shape))
    return network


def check_equal(path: Path, name: str, expected: object, found: object) -> None:
    """Refuse a state_dict with other arrays than the reference's networks have."""
    if expected != found:
        raise Pix2PixError(
            f"{path}: expected {name} {expected}, found {found}; only the reference's own "
            "networks have a counterpart here"
        )


def from_checkpoint(
    source: Path, out: Path, discriminator: Path | None, direction: Direction | None
) -> dict[str, Path]:
    """Write the networks of a checkpoint, or of a run's last, to PyTorch files named by kind.

    The generator goes to `out`, of CycleGAN's two that of `direction`; without one in the
    checkpoint, the discriminator does.

    Raises:
        Pix2PixError: if the checkpoint cannot be read or lacks a discriminator asked for.
    """
    path = checkpoints.file_of(source)
    loaded, config, _ = checkpoints.load(path)
    if config.model == CycleGANConfig.model and discriminator is None:
        return from_cyclegan(*checkpoints.generator_of(loaded, config, path, direction), path, out)
    if config.model != Config.model:
        raise Pix2PixError(
            f"{path}: expected networks of {Config.model} or a generator of "
            f"{CycleGANConfig.model}, found those of {config.model}, which are not converted; give "
            "another checkpoint"
        )
    checkpoints.check_direction(direction, config, path)
    found, config = checkpoints.plain(loaded, config)
    present = {name.split(".")[0] for name in found}
    if "discriminator" not in present:
        checkpoints.check_holds("generator", found, path)
    kind = "generator" if "generator" in present else "discriminator"
    if kind == "generator":
        check_reference_has(config, path)
    if discriminator is not None and discriminator.resolve() == out.resolve():
        raise Pix2PixError(
            f"{out}: expected a file for the generator and another for the discriminator, found "
            "one for both; change --discriminator"
        )
    files = {kind: out} | ({"discriminator": discriminator} if discriminator else {})
    if discriminator and not present >= {"generator", "discriminator"}:
        raise Pix2PixError(
            f"{path}: expected a generator and a discriminator, found a {kind} alone; "
            "leave --discriminator out, or convert the last checkpoint of a run"
        )
    for name, state in {name: state_of(name, found, config, path) for name in files}.items():
        pytorch_file.write(state, files[name])
    return files


def state_of(
    name: str, found: Mapping[str, Any], config: Config, path: Path
) -> dict[str, np.ndarray]:
    """Return a checkpoint's generator or discriminator, its arrays as the reference names them."""
    network = generator_of(config) if name == "generator" else PatchGAN(config)
    checkpoints.fill(network.parameters_dict(), found, path, (config, config))
    return state_dict(network, config)


def from_cyclegan(
    generator: nn.Cell, config: CycleGANConfig, path: Path, out: Path
) -> dict[str, Path]:
    """Write one of CycleGAN's generators to PyTorch's file."""
    check_reference_has(config, path)
    pytorch_file.write(state_dict(generator, config), out)
    return {f"generator {config.direction}": out}


def check_reference_has(config: Config | CycleGANConfig, path: Path) -> None:
    """Refuse a generator that the reference does not have."""
    foreign = {
        "an encoder-decoder (skips false)": not getattr(config, "skips", True),
        "a ResNet with composed upsampling": config.upsampling != "transposed",
    }
    for kind in filter(foreign.get, foreign):
        raise Pix2PixError(
            f"{path}: expected a generator that the reference has, found {kind}; convert another"
        )


def state_dict(network: nn.Cell, config: Config | CycleGANConfig) -> dict[str, np.ndarray]:
    """Return a network's arrays as the reference names them, step counts at 0 included."""
    names, state = reference_names(network, config), {}
    for parameter in network.get_parameters():
        if parameter.name in names:
            name = names[parameter.name]
            state[name] = parameter.asnumpy()
            if name.endswith("running_var"):  # a strict load_state_dict needs the count
                layer = name.removesuffix("running_var")
                state[f"{layer}num_batches_tracked"] = np.array(0, np.int64)
    return state
