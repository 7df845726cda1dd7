"""The networks of pytorch-CycleGAN-and-pix2pix in its structure, so that parameters have its names.

Written anew from what its state_dicts look like: blocks that contain one another, layers numbered
as they stand in an nn.Sequential, rectifiers that work in place.
"""

from itertools import pairwise

import torch
from torch import nn

from pix2pix_ms.config.pix2pix import Config


class Dropout(nn.Module):
    """Dropout with the mask it is given; none unless given."""

    mask: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply by the mask."""
        return x if self.mask is None else x * self.mask


class SkipBlock(nn.Module):
    """UnetSkipConnectionBlock: what is inside, and beside it what came in."""

    def __init__(self, layers: list[nn.Module], outermost: bool) -> None:
        super().__init__()
        self.model = nn.Sequential(*layers)
        self.outermost = outermost

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the inside beside x; of the outermost block the inside alone."""
        inside = self.model(x)
        return inside if self.outermost else torch.cat([x, inside], 1)


class UnetGenerator(nn.Module):
    """The U-Net: [N, input channels, H, W] to [N, target channels, H, W], in [-1, 1]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.model = skip_block(config, 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Translate x."""
        return self.model(x)

    def set_masks(self, masks: list[torch.Tensor]) -> None:
        """Set the dropout masks from the innermost outwards."""
        places = [module for module in self.modules() if isinstance(module, Dropout)]
        for place, mask in zip(places, masks, strict=True):
            place.mask = mask


class ResnetBlock(nn.Module):
    """The residual block: x plus two convolutions of it, with dropout between them."""

    def __init__(self, config: Config, width: int) -> None:
        super().__init__()
        bias = config.norm == "instance"

        def convolved() -> list[nn.Module]:
            conv = nn.Conv2d(width, width, 3, bias=bias)
            return [nn.ReflectionPad2d(1), conv, norm_layer(config, width)]

        dropout = [Dropout()] if config.dropout else []
        self.conv_block = nn.Sequential(*convolved(), nn.ReLU(True), *dropout, *convolved())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x plus its change."""
        return x + self.conv_block(x)


class ResnetGenerator(UnetGenerator):
    """The ResNet: [N, input channels, H, W] to [N, target channels, H, W], in [-1, 1]."""

    def __init__(self, config: Config) -> None:
        nn.Module.__init__(self)
        bias, ngf = config.norm == "instance", config.ngf

        def normed(conv: nn.Module) -> list[nn.Module]:
            return [conv, norm_layer(config, conv.out_channels), nn.ReLU(True)]

        layers = [nn.ReflectionPad2d(3)]
        layers += normed(nn.Conv2d(config.input_channels, ngf, 7, bias=bias))
        for before, after in pairwise((ngf, 2 * ngf, 4 * ngf)):
            layers += normed(nn.Conv2d(before, after, 3, 2, 1, bias=bias))
        layers += [ResnetBlock(config, 4 * ngf) for _ in range(config.n_blocks)]
        for before, after in pairwise((4 * ngf, 2 * ngf, ngf)):
            layers += normed(nn.ConvTranspose2d(before, after, 3, 2, 1, 1, bias=bias))
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(ngf, config.target_channels, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)


def generator(config: Config) -> UnetGenerator:
    """Return the generator of a config."""
    return (UnetGenerator if config.generator == "unet" else ResnetGenerator)(config)


def skip_block(config: Config, level: int) -> SkipBlock:
    """Return the block at a level counted from the outside, with those inside it."""
    first, last = level == 0, level == config.depth - 1
    width = config.ngf * min(2**level, 8)
    outside = config.ngf * min(2 ** (level - 1), 8)
    reads = config.input_channels if first else outside
    makes = config.target_channels if first else outside
    bias = config.norm == "instance"
    down = nn.Conv2d(reads, width, 4, 2, 1, bias=bias)
    up = nn.ConvTranspose2d(width if last else 2 * width, makes, 4, 2, 1, bias=bias or first)
    if first:
        inner = skip_block(config, level + 1)
        return SkipBlock([down, inner, nn.ReLU(True), up, nn.Tanh()], True)
    layers = [nn.LeakyReLU(0.2, True), down]
    if not last:
        layers += [norm_layer(config, width), skip_block(config, level + 1)]
    layers += [nn.ReLU(True), up, norm_layer(config, makes)]
    if config.dropout and 4 <= level < config.depth - 1:
        layers.append(Dropout())
    return SkipBlock(layers, False)


def norm_layer(config: Config, channels: int) -> nn.Module:
    """Return the normalisation of a config."""
    if config.norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels) if config.norm == "instance" else nn.Identity()


def seen(config: Config) -> int:
    """Return the channels a discriminator sees."""
    return config.target_channels + (config.input_channels if config.conditional else 0)


class NLayerDiscriminator(nn.Module):
    """The PatchGAN: input beside image, [N, C, H, W], to a logit for each patch."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = [config.ndf * min(2**layer, 8) for layer in range(config.n_layers + 1)]
        layers: list[nn.Module] = [
            nn.Conv2d(seen(config), config.ndf, 4, 2, 1),
            nn.LeakyReLU(0.2, True),
        ]
        for number, (before, after) in enumerate(pairwise(widths), 1):
            stride = 2 if number < config.n_layers else 1
            bias = config.norm == "instance"
            layers += [nn.Conv2d(before, after, 4, stride, 1, bias=bias)]
            layers += [norm_layer(config, after), nn.LeakyReLU(0.2, True)]
        self.model = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))

    def forward(self, pair: torch.Tensor) -> torch.Tensor:
        """Judge the pair."""
        return self.model(pair)


class PixelDiscriminator(nn.Module):
    """The PixelGAN: input beside image, [N, C, H, W], to a logit for each pixel."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        bias = config.norm == "instance"
        self.net = nn.Sequential(
            nn.Conv2d(seen(config), config.ndf, 1),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(config.ndf, 2 * config.ndf, 1, bias=bias),
            norm_layer(config, 2 * config.ndf),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(2 * config.ndf, 1, 1, bias=bias),
        )

    def forward(self, pair: torch.Tensor) -> torch.Tensor:
        """Judge the pair."""
        return self.net(pair)


def discriminator(config: Config) -> nn.Module:
    """Return the discriminator of a config: PatchGAN, or PixelGAN where it has no layers."""
    return (NLayerDiscriminator if config.n_layers else PixelDiscriminator)(config)
