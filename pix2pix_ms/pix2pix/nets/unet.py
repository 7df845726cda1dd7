"""The generator: a U-Net, and the autoencoder it is compared with (paper, section 3.2.1 and 6.1.1).

Encoder: 4x4 convolutions of stride 2 down to one pixel (or as deep as configured), doubling the
filters up to eight times the first. Decoder: the same in reverse. Skips concatenate the features
of each level, so that fine structure need not pass through the bottleneck.
"""

import mindspore as ms
from mindspore import Tensor, nn, ops

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.machine.randomness import Stream
from pix2pix_ms.pix2pix.nets import blocks


class Down(nn.Cell):
    """LeakyReLU, convolution, normalisation: [N, C, H, W] to [N, C', H/2, W/2].

    The first has neither activation nor normalisation, the last (the bottleneck) no normalisation.
    """

    def __init__(
        self, channels_in: int, channels_out: int, config: Config, first: bool, last: bool
    ) -> None:
        super().__init__()
        self.first = first
        norm = "none" if first or last else config.norm
        self.conv = blocks.convolution(channels_in, channels_out, 2, blocks.has_bias(config.norm))
        self.norm = blocks.normalisation(norm, channels_out)

    def construct(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x if self.first else blocks.leaky_relu(x)))


class Up(nn.Cell):
    """ReLU, transposed convolution, normalisation: [N, C, H, W] to [N, C', 2H, 2W].

    The last, which gives the image, has no normalisation.
    """

    def __init__(self, channels_in: int, channels_out: int, config: Config, last: bool) -> None:
        super().__init__()
        bias = last or blocks.has_bias(config.norm)
        composed = config.upsampling == "composed" or (config.upsampling == "inner" and not last)
        self.conv = blocks.upconvolution(channels_in, channels_out, bias, composed)
        self.norm = blocks.normalisation("none" if last else config.norm, channels_out)

    def construct(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(ops.relu(x)))


class UNet(nn.Cell):
    """The U-Net generator G: input image to generated image.

    Shapes: float32 [N, input channels, H, W] in [-1, 1] to [N, target channels, H, W] in [-1, 1];
    H and W multiples of 2**levels. Without `config.skips` it is the encoder-decoder of section
    6.1.1, same depth and widths.
    """

    def __init__(self, config: Config, channels_out: int | None = None) -> None:
        super().__init__()
        self.skips, self.levels = config.skips, config.depth
        self.multiple = self.least = 2**self.levels  # of the sides that it can halve
        innermost = self.levels - 1
        # At 256x256: C64-C128-C256-C512-C512-C512-C512-C512.
        widths = [config.ngf * min(2**level, 8) for level in range(self.levels)]
        inputs = [config.input_channels, *widths]
        outputs = [channels_out or config.target_channels, *widths]
        downs: list[nn.Cell] = []
        ups: list[nn.Cell] = []
        for level, width in enumerate(widths):
            downs.append(Down(inputs[level], width, config, level == 0, level == innermost))
            joined = 2 * width if self.skips and level < innermost else width
            ups.insert(0, Up(joined, outputs[level], config, last=level == 0))
        self.downs, self.ups = nn.CellList(downs), nn.CellList(ups)
        # As in the reference, the innermost block has no dropout and the next levels - 5 do: three
        # at 256x256, none at 32x32.
        dropped = range(1, self.levels - 4) if config.dropout else range(0)
        self.dropped = len(dropped)
        self.mask_of = {block: number for number, block in enumerate(dropped)}
        self.mask_channels = [outputs[innermost - block] for block in dropped]
        self.update_parameters_name("generator.")

    def construct(self, x: Tensor, *masks: Tensor) -> Tensor:
        """Return G(x): with a mask for each block that has dropout, or without dropout."""
        return ops.tanh(self.decoded(x, *masks))

    def decoded(self, x: Tensor, *masks: Tensor) -> Tensor:
        """Return what the last layer gives, float32 [N, channels_out, H, W], unbounded."""
        features = []
        for down in self.downs:
            x = down(x)
            features.append(x)
        for block in range(self.levels):
            x = self.ups[block](x)
            if len(masks) > 0 and block in self.mask_of:
                x = x * masks[self.mask_of[block]]
            if self.skips and block < self.levels - 1:
                x = ops.cat((features[self.levels - 2 - block], x), 1)
        return x

    def masks(
        self, images: tuple[int, ...], seed: int, stream: Stream, *position: int
    ) -> tuple[Tensor, ...]:
        """Draw the dropout masks of one forward pass, from seed and position.

        Args:
            images: the shape of the input images, (N, C, H, W).
        """
        batch, _, height, width = images
        drawn = []
        for (block, number), channels in zip(self.mask_of.items(), self.mask_channels, strict=True):
            level = self.levels - 1 - block
            shape = (batch, channels, height >> level, width >> level)
            drawn.append(blocks.dropout_mask(shape, seed, stream, *position, number))
        return tuple(drawn)


def parameter_count(network: nn.Cell) -> int:
    """Return the number of a network's trainable weights."""
    trained: list[ms.Parameter] = network.trainable_params()
    return sum(int(parameter.size) for parameter in trained)
