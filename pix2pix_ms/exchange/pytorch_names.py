"""The names of our parameters in PyTorch's pix2pix, and settings inferred from its weights.

The reference is github.com/junyanz/pytorch-CycleGAN-and-pix2pix: its UnetGenerator or
ResnetGenerator, of pix2pix or CycleGAN, and its NLayerDiscriminator or PixelDiscriminator.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import nn

from pix2pix_ms.config.family import CycleGANConfig
from pix2pix_ms.config.pix2pix import LAB, Config
from pix2pix_ms.config.settings import Norm
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.pix2pix.nets.resnet import ResNet
from pix2pix_ms.pix2pix.nets.unet import UNet

SEEN = "channels_seen"  # not a field of Config; more than the target's: D sees pairs
State = Mapping[str, np.ndarray]  # arrays by the reference's names
# The first weight of each of the reference's networks.
UNET, RESNET = "model.model.0.weight", "model.1.weight"
PATCHGAN, PIXELGAN = "model.0.weight", "net.0.weight"
UNET_LAST = "model.model.3.weight"
BLOCKS = 10  # the place of a ResNet's first residual block
# Where the U-Net's blocks have the convolution down, the next block inwards, the convolution up.
OUTERMOST, MIDDLE, INNERMOST = (0, 1, 3), (1, 3, 5), (1, None, 3)
LEAVES = {  # of normalisation: our names and the reference's
    "gamma": "weight", "beta": "bias",
    "moving_mean": "running_mean", "moving_variance": "running_var",
}  # fmt: skip


def infer(state: State, path: Path) -> dict[str, Any]:
    """Return the fields of Config that can be inferred from a network's shapes.

    Raises:
        Pix2PixError: if it is none of the reference's networks for pix2pix.
    """
    if UNET in state:
        levels = max(name.count("model.") for name in state) - 1  # blocks contain one another
        norm = norm_of(state, "model.model.1.model.1.bias")
        names = {"input_channels": UNET, "target_channels": UNET_LAST}
        ends = {name: channels(state[place]) for name, place in names.items() if place in state}
        # Its one model with two target channels is the one that colours photos.
        colours = {"colours": "lab"} if tuple(ends.values()) == LAB[:2] else {}
        return {"levels": levels, "ngf": width(state[UNET]), "norm": norm, **ends, **colours}
    if RESNET in state:
        blocks = {name.split(".")[1] for name in state if ".conv_block." in name}
        ends = {"input_channels": channels(state[RESNET])}
        last = state.get(f"model.{BLOCKS + len(blocks) + 7}.weight")
        if last is not None:
            ends["target_channels"] = width(last)
        found = {
            "generator": "resnet",
            "n_blocks": max(len(blocks), 1),
            "ngf": width(state[RESNET]),
        }
        dropout = f"model.{BLOCKS}.conv_block.5.weight" not in state  # its place is dropout's
        return {**found, "norm": norm_of(state, "model.1.bias"), "dropout": dropout, **ends}
    if PIXELGAN in state:
        return {"n_layers": 0, "norm": norm_of(state, "net.2.bias"), **seen(state[PIXELGAN])}
    if PATCHGAN in state:
        n_layers = sum(array.ndim == 4 for array in state.values()) - 2  # the first, the last
        norm = norm_of(state, "model.2.bias")
        return {"n_layers": n_layers, "norm": norm, **seen(state[PATCHGAN])}
    raise Pix2PixError(
        f"{path}: expected the weights of a U-Net generator ({UNET}, ...), of a ResNet "
        f"({RESNET}, ...) or of a discriminator ({PATCHGAN} or {PIXELGAN}, ...), found "
        f"{next(iter(state), 'none at all')}; other networks have no counterpart here"
    )


def seen(weight: np.ndarray) -> dict[str, Any]:
    """Return a discriminator's width and input channels, by its first convolution."""
    return {"ndf": width(weight), SEEN: channels(weight)}


def channels(weight: np.ndarray) -> int:
    """Return a convolution's input channels, or a transposed one's output channels."""
    return weight.shape[1] if weight.ndim > 1 else 0


def width(weight: np.ndarray) -> int:
    """Return how many filters a convolution has."""
    return weight.shape[0] if weight.ndim else 0


def norm_of(state: State, inner_bias: str) -> Norm:
    """Return the normalisation: batch norm has weights, instance norm biases before it."""
    if any(array.ndim == 1 and name.endswith(".weight") for name, array in state.items()):
        return "batch"
    return "instance" if inner_bias in state else "none"


def reference_names(network: nn.Cell, config: Any) -> dict[str, str]:
    """Return the reference's name of each of our parameters, by our name."""
    if isinstance(network, UNet):
        layers = unet_layers(config.depth)
    elif isinstance(network, ResNet):
        layers = resnet_layers(config)
    else:
        layers = discriminator_layers(config)
    names = {}
    for parameter in network.get_parameters():
        name, leaf = parameter.name.rsplit(".", 1)
        layer = name.replace("_AtoB", "").replace("_BtoA", "")  # of CycleGAN's two generators
        if config.norm == "batch" or not layer.endswith(".norm"):  # others' are unused
            names[parameter.name] = f"{layers[layer]}.{LEAVES.get(leaf, leaf)}"
    return names


def unet_layers(levels: int) -> dict[str, str]:
    """Return our layers' names with the reference's, in which each block contains the next."""
    layers: dict[str, str] = {}
    block = "model.model"
    for level in range(levels):
        places = OUTERMOST if level == 0 else INNERMOST if level == levels - 1 else MIDDLE
        down, inner, up = places
        ours_down, ours_up = f"generator.downs.{level}", f"generator.ups.{levels - 1 - level}"
        for ours, place in ((ours_down, down), (ours_up, up)):
            layers |= {f"{ours}.conv": f"{block}.{place}", f"{ours}.norm": f"{block}.{place + 1}"}
        block = f"{block}.{inner}.model"
    return layers


def resnet_layers(config: Config | CycleGANConfig) -> dict[str, str]:
    """Return our layers' names with the reference's: a row, of which each residual block is one."""
    ups = BLOCKS + config.n_blocks
    rows = {"first": 1, "downs.0": 4, "downs.1": 7, "ups.0": ups, "ups.1": ups + 3}
    layers = {"generator.last": f"model.{ups + 7}"}
    for ours, place in rows.items():
        layers[f"generator.{ours}.conv"] = f"model.{place}"
        layers[f"generator.{ours}.norm"] = f"model.{place + 1}"
    second = 6 if config.dropout else 5
    for number in range(config.n_blocks):
        ours, theirs = f"generator.residuals.{number}", f"model.{BLOCKS + number}.conv_block"
        layers |= {f"{ours}.first.conv": f"{theirs}.1", f"{ours}.first.norm": f"{theirs}.2"}
        layers |= {f"{ours}.second": f"{theirs}.{second}", f"{ours}.norm": f"{theirs}.{second + 1}"}
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
