"""Weights from PyTorch's pix2pix and back: its `.pth` files to our checkpoints, and ours to its.

The reference is github.com/junyanz/pytorch-CycleGAN-and-pix2pix: `latest_net_G.pth` holds the
state_dict of its UnetGenerator, `latest_net_D.pth` that of its NLayerDiscriminator or
PixelDiscriminator. It lays out every array as we do, so that only the names change.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import Tensor, nn

from pix2pix_ms import checkpoints, torch_file
from pix2pix_ms.config import Config, Norm
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.nets.patchgan import PatchGAN
from pix2pix_ms.nets.unet import UNet

State = Mapping[str, np.ndarray]  # arrays by the reference's names
NOT_INFERRED = ("size", "direction", "dropout")
# The first weight of each of the reference's networks.
UNET, PATCHGAN, PIXELGAN = "model.model.0.weight", "model.0.weight", "net.0.weight"
# Where its blocks hold the convolution down, the next block inwards, and the convolution up.
OUTERMOST, MIDDLE, INNERMOST = (0, 1, 3), (1, 3, 5), (1, None, 3)
LEAVES = {  # what normalisation calls its parameters, here and there
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def convert(
    source: Path, out: Path, discriminator: Path | None = None, **settings: Any
) -> list[str]:
    """Convert PyTorch's weights to a checkpoint, or a checkpoint or a run's last to PyTorch's.

    Args:
        discriminator: the discriminator's `.pth`, read or written beside the generator's.
        settings: what a `.pth` does not tell, as `to_checkpoint` takes it.

    Returns:
        A line for each file written that says what it holds.

    Raises:
        Pix2PixError: if the names do not say which way, or as the function for that way does.
    """
    from_torch = source.suffix in torch_file.SUFFIXES
    wanted = (checkpoints.SUFFIX,) if from_torch else torch_file.SUFFIXES
    check_suffix(out, wanted)
    if discriminator:
        check_suffix(discriminator, torch_file.SUFFIXES)
    if from_torch:
        sources = [source, discriminator] if discriminator else [source]
        return [f"{out}: {listed(to_checkpoint(sources, out, settings))}"]
    for name in settings:
        raise Pix2PixError(
            f"{name}: expected only where {' or '.join(torch_file.SUFFIXES)} is read, found it "
            f"for {source}, which knows its settings; leave it out"
        )
    return [f"{path}: {kind}" for kind, path in from_checkpoint(source, out, discriminator).items()]


def check_suffix(path: Path, wanted: tuple[str, ...]) -> None:
    """Refuse a file whose name does not say what it is."""
    if path.suffix not in wanted:
        raise Pix2PixError(
            f"{path}: expected a name ending in {' or '.join(wanted)}, found "
            f"{path.suffix or 'no ending'}; conversion goes from {torch_file.SUFFIXES[0]} to "
            f"{checkpoints.SUFFIX} or back"
        )


def listed(settings: Mapping[str, Any]) -> str:
    """Return settings as text: ngf 64, norm batch."""
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def to_checkpoint(
    sources: list[Path], out: Path, settings: Mapping[str, Any]
) -> dict[str, int | str | bool]:
    """Write the networks in PyTorch's files to one checkpoint; return what is known of them.

    Widths, depth, layers and normalisation are inferred. `settings` are the fields of Config that
    weights do not tell: `size` (unless given, that at which the U-Net ends in one pixel),
    `direction`, `dropout`.

    Raises:
        Pix2PixError: if a file holds neither network, or the two do not fit together.
    """
    states = [(path, read_state(path)) for path in sources]
    inferred = infer_all(states)
    config = config_of(inferred, settings)
    networks = [filled(state, config, path) for path, state in states]
    checkpoints.save([p for network in networks for p in network.get_parameters()], out, config)
    return inferred | {name: getattr(config, name) for name in NOT_INFERRED}


def read_state(path: Path) -> dict[str, np.ndarray]:
    """Read a state_dict without what DataParallel adds to names, and without step counts."""
    return {
        name.removeprefix("module."): array
        for name, array in torch_file.read(path).items()
        if not name.endswith("num_batches_tracked")
    }


def infer_all(states: Iterable[tuple[Path, State]]) -> dict[str, Any]:
    """Return the fields of Config that the networks in the files decide together."""
    found: dict[str, Any] = {}
    for path, state in states:
        inferred = infer(state, path)
        if found and (found["norm"] != inferred["norm"] or found.keys() == inferred.keys()):
            raise Pix2PixError(
                f"{path}: expected the generator and the discriminator of one training, found "
                f"{listed(inferred)} beside {listed(found)}; give one file of each"
            )
        found |= inferred
    return found


def config_of(inferred: Mapping[str, Any], settings: Mapping[str, Any]) -> Config:
    """Return the config of networks so inferred; the size before the crop is in its proportion."""
    levels = inferred.get("levels")
    size = settings.get("size", 2**levels if levels else Config.size)
    fields = {**inferred, "size": size, **settings}
    fields["jitter_size"] = round(size * Config.jitter_size / Config.size)
    fields["levels"] = None if levels and 2**levels == size else levels  # None: down to one pixel
    return Config(**fields)


def infer(state: State, path: Path) -> dict[str, Any]:
    """Return the fields of Config that the shapes of a network decide."""
    if UNET in state:
        levels = max(name.count("model.") for name in state) - 1  # blocks contain one another
        norm = norm_of(state, "model.model.1.model.1.bias")
        return {"levels": levels, "ngf": width(state[UNET]), "norm": norm}
    if PIXELGAN in state:
        return {"n_layers": 0, "ndf": width(state[PIXELGAN]), "norm": norm_of(state, "net.2.bias")}
    if PATCHGAN in state:
        n_layers = sum(array.ndim == 4 for array in state.values()) - 2  # the first, the last
        norm = norm_of(state, "model.2.bias")
        return {"n_layers": n_layers, "ndf": width(state[PATCHGAN]), "norm": norm}
    raise Pix2PixError(
        f"{path}: expected the weights of a U-Net generator ({UNET}, ...) or of a discriminator "
        f"({PATCHGAN} or {PIXELGAN}, ...), found {next(iter(state), 'none at all')}; other "
        "networks, CycleGAN's ResNet generator too, have no counterpart here"
    )


def width(weight: np.ndarray) -> int:
    """Return how many filters a convolution has."""
    return weight.shape[0] if weight.ndim else 0


def norm_of(state: State, inner_bias: str) -> Norm:
    """Tell the normalisation: batch norm has weights; in front of instance norm stand biases."""
    if any(array.ndim == 1 and name.endswith(".weight") for name, array in state.items()):
        return "batch"
    return "instance" if inner_bias in state else "none"


def filled(state: State, config: Config, path: Path) -> nn.Cell:
    """Build the network of a state_dict and copy its arrays into it.

    Raises:
        Pix2PixError: naming the first array that is missing, too many or of another shape.
    """
    network = UNet(config) if UNET in state else PatchGAN(config)
    names = reference_names(network, config)
    for parameter in network.get_parameters():
        if parameter.name in names:
            name = names[parameter.name]
            here = list(parameter.shape)
            there = list(state[name].shape) if name in state else "no such array"
            check_equal(path, name, here, there)
            parameter.set_data(Tensor(state[name].astype(np.float32)))
    for name in sorted(state.keys() - names.values()):
        # PyTorch before 0.4 kept running statistics for instance norm, and never used them.
        if "running_" not in name or config.norm != "instance":
            check_equal(path, name, "no such array", list(state[name].shape))
    return network


def check_equal(path: Path, name: str, expected: object, found: object) -> None:
    """Refuse a state_dict that is not quite one of the reference's."""
    if expected != found:
        raise Pix2PixError(
            f"{path}: expected {name} {expected}, found {found}; only the reference's own "
            "networks, from RGB images to RGB images, have a counterpart here"
        )


def from_checkpoint(source: Path, out: Path, discriminator: Path | None) -> dict[str, Path]:
    """Write the networks of a checkpoint, or of a run's last, to PyTorch files named by kind.

    The generator goes to `out`; without one in the checkpoint, the discriminator does.

    Raises:
        Pix2PixError: if the checkpoint cannot be read or lacks a discriminator asked for.
    """
    path = checkpoints.last_of(source) if source.is_dir() else source
    found, config, _ = checkpoints.load(path)
    held = {name.split(".")[0] for name in found}
    kind = "generator" if "generator" in held else "discriminator"
    files = {kind: out} | ({"discriminator": discriminator} if discriminator else {})
    if discriminator and not {"generator", "discriminator"} <= held:
        raise Pix2PixError(
            f"{path}: expected a generator and a discriminator, found a {kind} alone; "
            "leave --discriminator out, or convert the last checkpoint of a run"
        )
    states = {}
    for wanted in files:
        network = UNet(config) if wanted == "generator" else PatchGAN(config)
        checkpoints.fill(network.parameters_dict(), found, path, (config, config))
        states[wanted] = state_dict(network, config)
    for wanted, file in files.items():
        torch_file.write(states[wanted], file)
    return files


def state_dict(network: nn.Cell, config: Config) -> dict[str, np.ndarray]:
    """Return a network's arrays as the reference names them, step counts at 0 included."""
    names, state = reference_names(network, config), {}
    for parameter in network.get_parameters():
        if parameter.name in names:
            name = names[parameter.name]
            state[name] = parameter.asnumpy()
            if name.endswith("running_var"):  # a strict load_state_dict may ask for the count
                layer = name.removesuffix("running_var")
                state[f"{layer}num_batches_tracked"] = np.array(0, np.int64)
    return state


def reference_names(network: nn.Cell, config: Config) -> dict[str, str]:
    """Return the reference's name for every parameter of ours that it has too."""
    is_generator = isinstance(network, UNet)
    layers = generator_layers(config.depth) if is_generator else discriminator_layers(config)
    names = {}
    for parameter in network.get_parameters():
        layer, leaf = parameter.name.rsplit(".", 1)
        if config.norm == "batch" or not layer.endswith(".norm"):  # MindSpore's have idle ones
            names[parameter.name] = f"{layers[layer]}.{LEAVES.get(leaf, leaf)}"
    return names


def generator_layers(levels: int) -> dict[str, str]:
    """Return our layers' names with the reference's, in which each block contains the next."""
    layers: dict[str, str] = {}
    block = "model.model"
    for level in range(levels):
        places = OUTERMOST if level == 0 else INNERMOST if level == levels - 1 else MIDDLE
        down, inner, up = places
        ours_down, ours_up = f"generator.downs.{level}", f"generator.ups.{levels - 1 - level}"
        layers |= {f"{ours_down}.conv": f"{block}.{down}", f"{ours_up}.conv": f"{block}.{up}"}
        layers |= {
            f"{ours_down}.norm": f"{block}.{down + 1}",
            f"{ours_up}.norm": f"{block}.{up + 1}",
        }
        block = f"{block}.{inner}.model"
    return layers


def discriminator_layers(config: Config) -> dict[str, str]:
    """Return our layers' names with the reference's: convolution, norm and LeakyReLU in a row."""
    row = "model" if config.n_layers else "net"
    hidden = max(config.n_layers, 1)
    layers = {"discriminator.first": f"{row}.0", "discriminator.last": f"{row}.{2 + 3 * hidden}"}
    for number in range(hidden):
        ours = f"discriminator.layers.{number}"
        layers[f"{ours}.conv"] = f"{row}.{2 + 3 * number}"
        layers[f"{ours}.norm"] = f"{row}.{3 + 3 * number}"
    return layers
