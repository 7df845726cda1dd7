"""The discriminator: a PatchGAN that judges every patch of a pair (paper, section 3.2.2 and 6.1.2).

It classifies overlapping patches as real or generated; the loss is the mean over all of them. It
models texture at the scale of a patch and leaves larger structure to L1.
"""

from itertools import pairwise

from mindspore import Tensor, nn, ops

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.pix2pix.nets import blocks


def receptive_field(n_layers: int) -> int:
    """Return the side in pixels of the patch that one logit depends on: 16, 34, 70, 142, 286.

    From the output backwards: a layer with kernel k and stride s sees s (r - 1) + k pixels if the
    layer after it sees r. With n_layers 0 (PixelGAN) every kernel is 1x1.
    """
    if n_layers == 0:
        return 1
    seen = 1
    for stride in [1, 1] + [2] * n_layers:
        seen = stride * (seen - 1) + blocks.KERNEL
    return seen


def patch_grid(size: int, n_layers: int) -> int:
    """Return the side of the grid of logits for images of `size` pixels: 30 for 256 and 3 layers.

    Raises:
        Pix2PixError: if the image is too small for so many layers.
    """
    if n_layers == 0:
        return size
    side = (size >> n_layers) - 2
    # The last two layers shrink n to n - 1 and n - 2: at least one must be left, and at batch 1
    # batch normalisation between them needs more than one pixel.
    if side < 1:
        most = max(layers for layers in range(n_layers) if layers == 0 or size >> layers >= 3)
        raise Pix2PixError(
            f"n_layers: expected at most {most} for images of "
            f"{size} pixels, found {n_layers}; take fewer layers or larger images"
        )
    return side


class Layer(nn.Cell):
    """LeakyReLU, convolution, normalisation: [N, C, H, W] to [N, C', H', W']."""

    def __init__(self, conv: nn.Conv2d, config: Config) -> None:
        super().__init__()
        self.conv = conv
        smooth = config.gan_mode == "wgan-gp"  # the gradient penalty needs a second derivative
        self.norm = blocks.normalisation(config.norm, conv.out_channels, smooth)

    def construct(self, h: Tensor) -> Tensor:
        return self.norm(self.conv(blocks.leaky_relu(h)))


class PatchGAN(nn.Cell):
    """The discriminator D: input image and a target or generated image, to a logit per patch.

    Shapes: two float32 [N, C, H, W] in [-1, 1], input and target channels, to [N, 1, H', W'],
    unbounded; `patch_grid` gives H' and W'. Without `config.conditional` it does not see the
    input image (equation 2).

    Raises:
        Pix2PixError: if the images are too small for `config.n_layers`.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        patch_grid(min(config.shape), config.n_layers)
        self.conditional = config.conditional
        channels = config.target_channels + config.input_channels * config.conditional
        first, hidden, last = (patch_layers if config.n_layers else pixel_layers)(channels, config)
        layers = nn.CellList([Layer(conv, config) for conv in hidden])
        self.first, self.layers, self.last = first, layers, last
        self.update_parameters_name("discriminator.")

    def construct(self, x: Tensor, y: Tensor) -> Tensor:
        """Return D(x, y): above 0 where a patch looks real."""
        h = self.first(ops.cat((x, y), 1) if self.conditional else y)
        for layer in self.layers:
            h = layer(h)
        return self.last(blocks.leaky_relu(h))


Convolutions = tuple[nn.Cell, list[nn.Conv2d], nn.Cell]  # the first, the hidden, the last


def patch_layers(channels: int, config: Config) -> Convolutions:
    """C64-C128-C256-C512 and the logits, for three layers; the C512 has stride 1."""
    widths = [config.ndf * min(2**layer, 8) for layer in range(config.n_layers + 1)]
    strides = [2] * (config.n_layers - 1) + [1]
    bias = blocks.has_bias(config.norm)
    hidden = [
        blocks.convolution(before, after, stride, bias)
        for (before, after), stride in zip(pairwise(widths), strides, strict=True)
    ]
    first = blocks.convolution(channels, widths[0], 2, bias=True)
    return first, hidden, blocks.Verdict(widths[-1])


def pixel_layers(channels: int, config: Config) -> Convolutions:
    """1x1 convolutions only: C64-C128 and the logits (PixelGAN)."""
    ndf, bias = config.ndf, blocks.has_bias(config.norm)
    first = nn.Conv2d(channels, ndf, 1, has_bias=True)
    hidden, last = (nn.Conv2d(n, m, 1, has_bias=bias) for n, m in ((ndf, 2 * ndf), (2 * ndf, 1)))
    return first, [hidden], last
