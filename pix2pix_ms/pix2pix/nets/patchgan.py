"""The discriminator: a PatchGAN that judges every patch of a pair (paper, section 3.2.2 and 6.1.2).

It classifies overlapping patches as real or generated and averages their verdicts, so it models
texture at the scale of a patch and leaves what is larger to L1.
"""

from mindspore import Tensor, nn, ops

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.pix2pix.nets import blocks


def receptive_field(n_layers: int) -> int:
    """Return the side in input pixels of the patch one verdict sees: 16, 34, 70, 142, 286.

    Walked backwards from one output pixel: a layer with kernel k and stride s sees s (r - 1) + k
    pixels where the layer above saw r. With n_layers 0 (PixelGAN) every kernel is 1x1.
    """
    if n_layers == 0:
        return 1
    seen = 1
    for stride in [1, 1] + [2] * n_layers:
        seen = stride * (seen - 1) + blocks.KERNEL
    return seen


def patch_grid(size: int, n_layers: int) -> int:
    """Return how many verdicts a side has for images of `size` pixels: 30 for 256 and 3 layers.

    Raises:
        Pix2PixError: if the image is too small for so many layers.
    """
    if n_layers == 0:
        return size
    side = (size >> n_layers) - 2
    # The layer before the last shrinks n to n - 1, and the last to n - 2: something must be left,
    # and batch normalisation at batch 1 needs more than one pixel in front of it.
    if side < 1:
        most = max(layers for layers in range(n_layers) if layers == 0 or size >> layers >= 3)
        raise Pix2PixError(
            f"n_layers: expected at most {most} for images of "
            f"{size} pixels, found {n_layers}; take fewer layers or larger images"
        )
    return side


class Layer(nn.Cell):
    """LeakyReLU, convolution, normalisation."""

    def __init__(self, conv: nn.Conv2d, norm: nn.Cell) -> None:
        super().__init__()
        self.conv, self.norm = conv, norm

    def construct(self, h: Tensor) -> Tensor:
        """Rectify, convolve and normalise h, [N, C, H, W]."""
        return self.norm(self.conv(blocks.leaky_relu(h)))


class PatchGAN(nn.Cell):
    """The discriminator D: input image and a target or generated image, to a logit per patch.

    Shapes: two float32 [N, C, H, W] in [-1, 1], input and target channels, to [N, 1, H', W'],
    unbounded; `patch_grid` gives H' and W'. Without `config.conditional` it does not look at the
    input image (equation 2).

    Raises:
        Pix2PixError: if the images are too small for `config.n_layers`.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        patch_grid(min(config.shape), config.n_layers)
        self.conditional = config.conditional
        first, hidden, last = (patch_layers if config.n_layers else pixel_layers)(config)
        self.first, self.layers, self.last = first, nn.CellList(hidden), last
        self.update_parameters_name("discriminator.")

    def construct(self, x: Tensor, y: Tensor) -> Tensor:
        """Return D(x, y): above 0 where a patch looks real."""
        h = self.first(ops.cat((x, y), 1) if self.conditional else y)
        for layer in self.layers:
            h = layer(h)
        return self.last(blocks.leaky_relu(h))


Layers = tuple[nn.Cell, list[Layer], nn.Cell]  # the first, those in between, the verdict


def channels_seen(config: Config) -> int:
    """Channels of what D looks at: a pair of images, or one."""
    return config.target_channels + config.input_channels * config.conditional


def normalisation(config: Config, channels: int) -> nn.Cell:
    """Return D's layer of normalisation, with a second derivative where a penalty asks for it."""
    return blocks.normalisation(config.norm, channels, smooth=config.gan_mode == "wgan-gp")


def patch_layers(config: Config) -> Layers:
    """C64-C128-C256-C512 and the verdict, for three layers; the C512 has stride 1."""
    widths = [config.ndf * min(2**layer, 8) for layer in range(config.n_layers + 1)]
    strides = [2] * (config.n_layers - 1) + [1]
    bias = blocks.has_bias(config.norm)
    hidden = [
        Layer(
            blocks.convolution(before, after, stride, bias),
            normalisation(config, after),
        )
        for before, after, stride in zip(widths, widths[1:], strides, strict=False)
    ]
    first = blocks.convolution(channels_seen(config), widths[0], 2, bias=True)
    return first, hidden, blocks.Verdict(widths[-1])


def pixel_layers(config: Config) -> Layers:
    """1x1 convolutions only: C64-C128 and the verdict."""
    bias = blocks.has_bias(config.norm)
    hidden = Layer(
        nn.Conv2d(config.ndf, 2 * config.ndf, 1, has_bias=bias),
        normalisation(config, 2 * config.ndf),
    )
    first = nn.Conv2d(channels_seen(config), config.ndf, 1, has_bias=True)
    return first, [hidden], nn.Conv2d(2 * config.ndf, 1, 1, has_bias=bias)
