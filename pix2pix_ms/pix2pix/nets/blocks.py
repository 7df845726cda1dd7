"""The layers of the networks: activation, convolutions, normalisation, dropout."""

from typing import Literal

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from pix2pix_ms.config.settings import Norm
from pix2pix_ms.machine.device import computes_on_cpu
from pix2pix_ms.machine.randomness import Stream, dropout, random
from pix2pix_ms.machine.ranks import Mean, draw, world
from pix2pix_ms.training.weights import BOX

KERNEL = 4
EPSILON = 1e-5
MOMENTUM = 0.1  # weight of the batch in the moving statistics
SLOPE = 0.2  # of LeakyReLU
Statistics = Literal["batch", "moving"]


def leaky_relu(x: Tensor) -> Tensor:
    """LeakyReLU with slope 0.2: the same shape, the negative part times 0.2.

    Written with ReLU because the gradient of `nn.LeakyReLU` is slow on a CPU (MindSpore 2.8: the
    discriminator's took 430 ms with it, 350 ms with this).
    """
    return SLOPE * x + (1 - SLOPE) * ops.relu(x)


def convolution(channels_in: int, channels_out: int, stride: int, bias: bool) -> nn.Conv2d:
    """4x4 convolution: [N, in, H, W] to [N, out, H/2, W/2] with stride 2, H-1 with stride 1."""
    return nn.Conv2d(
        channels_in, channels_out, KERNEL, stride, pad_mode="pad", padding=1, has_bias=bias
    )


class Verdict(nn.Conv2d):
    """The 4x4 convolution to one channel that ends the PatchGAN: [N, C, H, W] to [N, 1, H-1, W-1].

    On a CPU it is computed as a 1x1 convolution to 16 channels, one for each tap of the kernel,
    which a convolution with 16 one-hot kernels shifts and adds. oneDNN otherwise gathers 16 shifted
    copies of all C channels: at 256x256 (MindSpore 2.8) 3.9 ms forwards and 16.8 ms backwards,
    against 0.3 and 0.9 ms.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, 1, KERNEL, 1, pad_mode="pad", padding=1, has_bias=True)
        self.channels = channels
        self.places = Tensor(np.eye(KERNEL**2, dtype=np.float32).reshape(1, -1, KERNEL, KERNEL))
        self.by_taps = computes_on_cpu()

    def construct(self, x: Tensor) -> Tensor:
        if not self.by_taps:
            return super().construct(x)
        taps = self.weight.reshape(self.channels, KERNEL**2).T.reshape(-1, self.channels, 1, 1)
        products = ops.conv2d(x, taps)
        verdicts = ops.conv2d(products, self.places, pad_mode="pad", padding=1)
        return verdicts + self.bias.reshape(1, 1, 1, 1)


def upconvolution(
    channels_in: int, channels_out: int, bias: bool, composed: bool = False
) -> nn.Conv2dTranspose:
    """4x4 transposed convolution with stride 2: [N, in, H, W] to [N, out, 2H, 2W]."""
    if composed:
        return ComposedUpconvolution(channels_in, channels_out, bias)
    return nn.Conv2dTranspose(
        channels_in, channels_out, KERNEL, 2, pad_mode="pad", padding=1, has_bias=bias
    )


class ComposedUpconvolution(nn.Conv2dTranspose):
    """Nearest-neighbour upsampling and a 3x3 convolution, as one transposed convolution.

    [N, in, H, W] to [N, out, 2H, 2W]. The learned 3x3 kernel, convolved with a 2x2 box, is the 4x4
    kernel of a transposed convolution that gives the same image, borders included, with 16 products
    in place of 36. It leaves no checkerboard (Odena et al. 2016). `weights.fold` makes the plain
    transposed convolution of it.
    """

    def __init__(self, channels_in: int, channels_out: int, bias: bool) -> None:
        super().__init__(
            channels_in, channels_out, KERNEL, 2, pad_mode="pad", padding=1, has_bias=bias
        )
        self.weight = parameter(np.zeros((channels_in, channels_out, 3, 3)), "weight")
        self.box = Tensor(BOX)

    def construct(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        # A small matrix product: padding and adding the kernel takes five times as long (2.8).
        kernel = self.weight.reshape(-1, 9) @ self.box
        kernel = kernel.reshape(channels, self.out_channels, KERNEL, KERNEL)
        y = self.conv2d_transpose(x, kernel, (batch, self.out_channels, 2 * height, 2 * width))
        return self.bias_add(y, self.bias) if self.has_bias else y


class BatchNorm(nn.Cell):
    """Batch normalisation over N, H and W, as the paper uses it: with the test batch's statistics.

    In training it normalises with the batch's statistics and updates the moving ones; in inference
    it uses the `statistics`, "batch" or "moving", and updates nothing. (`nn.BatchNorm2d` cannot use
    a batch's statistics without updating the moving ones: to measure would change a training.) If
    ranks synchronise statistics, the batch is that of all ranks.
    """

    in_float32 = True  # in mixed precision too: read by `machine/precision.py`

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.statistics: Statistics = "batch"
        self.gamma = parameter(np.ones(channels), "gamma")
        self.beta = parameter(np.zeros(channels), "beta")
        self.moving_mean = parameter(np.zeros(channels), "moving_mean", trained=False)
        self.moving_variance = parameter(np.ones(channels), "moving_variance", trained=False)
        self.update = ops.BatchNorm(is_training=True, epsilon=EPSILON, momentum=MOMENTUM)
        self.by_batch = ops.BatchNorm(is_training=True, epsilon=EPSILON, momentum=0.0)
        self.by_moving = ops.BatchNorm(is_training=False, epsilon=EPSILON)
        self.synchronised, self.ranks = world().synchronised, world().ranks
        if self.synchronised:
            self.mean, self.sum = Mean(), ops.ReduceSum(keep_dims=True)

    def construct(self, x: Tensor) -> Tensor:
        if self.training and self.synchronised:
            return self.over_ranks(x)
        if self.training:
            normalise = self.update
        else:
            normalise = self.by_batch if self.statistics == "batch" else self.by_moving
        return normalise(x, self.gamma, self.beta, self.moving_mean, self.moving_variance)[0]

    def over_ranks(self, x: Tensor) -> Tensor:
        """Normalise with the mean and variance over all ranks' images, and update the moving ones.

        `nn.SyncBatchNorm` is for Ascend alone (MindSpore 2.8).
        """
        dtype, x = x.dtype, x.astype(ms.float32)  # a sum in half precision could overflow
        here = x.shape[0] * x.shape[2] * x.shape[3]
        fraction, everywhere = 1.0 / here, here * self.ranks
        (mean,) = self.mean((self.sum(x, (0, 2, 3)) * fraction,))
        centred = x - mean
        (variance,) = self.mean((self.sum(centred * centred, (0, 2, 3)) * fraction,))
        unbiased = variance * (everywhere / max(everywhere - 1, 1))  # what `ops.BatchNorm` averages
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, unbiased)):
            updated = (1 - MOMENTUM) * moving + MOMENTUM * ops.stop_gradient(value.reshape(-1))
            ops.assign(moving, updated)
        scale = self.gamma.reshape(1, -1, 1, 1) * ops.rsqrt(variance + EPSILON)
        return (centred * scale + self.beta.reshape(1, -1, 1, 1)).astype(dtype)


class InstanceNorm(nn.Cell):
    """Instance normalisation of x, float32 [N, C, H, W], over H and W, as in the reference.

    Then multiplied by `scale` and added to `shift`, [N, C] each, if given. Computed as batch
    normalisation of one image with N C channels, because `nn.InstanceNorm2d` has no CPU kernel and
    `nn.GroupNorm` is slower there (MindSpore 2.7 to 2.10).
    """

    in_float32 = True

    def __init__(self) -> None:
        super().__init__()
        self.normalise = ops.BatchNorm(is_training=True, epsilon=EPSILON, momentum=0.0)

    def construct(
        self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None
    ) -> Tensor:
        batch, channels, height, width = x.shape
        each = (batch * channels,)
        one, zero = ops.ones(each, ms.float32), ops.zeros(each, ms.float32)
        scale = one if scale is None else scale.reshape(each)
        shift = zero if shift is None else shift.reshape(each)
        flat = x.reshape(1, batch * channels, height, width)
        return self.normalise(flat, scale, shift, zero, one)[0].reshape(x.shape)


class SmoothInstanceNorm(nn.Cell):
    """InstanceNorm with a second derivative, for a gradient penalty; slower on a CPU.

    `ops.BatchNorm` has a second derivative only in graph mode (MindSpore 2.8).
    """

    def __init__(self) -> None:
        super().__init__()
        self.sum = ops.ReduceSum(keep_dims=True)

    def construct(self, x: Tensor) -> Tensor:
        fraction = 1.0 / (x.shape[2] * x.shape[3])  # a sum and a product: `mean` is slower on a CPU
        centred = x - self.sum(x, (2, 3)) * fraction
        variance = self.sum(centred * centred, (2, 3)) * fraction
        return centred * ops.rsqrt(variance + EPSILON)


def normalisation(norm: Norm, channels: int, smooth: bool = False) -> nn.Cell:
    """Return a normalisation layer; `smooth`: with a second derivative."""
    if norm == "batch":
        return BatchNorm(channels)
    if norm == "instance":
        return SmoothInstanceNorm() if smooth else InstanceNorm()
    return nn.Identity()


def has_bias(norm: Norm) -> bool:
    """Whether a convolution before `norm` has a bias, as in the reference: batch norm shifts."""
    return norm == "instance"


def set_statistics(network: nn.Cell, statistics: Statistics) -> None:
    """Choose what every BatchNorm in `network` normalises with in inference."""
    for _, cell in network.cells_and_names():
        if isinstance(cell, BatchNorm):
            cell.statistics = statistics


def dropout_mask(shape: tuple[int, ...], seed: int, stream: Stream, *position: int) -> Tensor:
    """Draw one mask for inverted dropout at rate 0.5: float32, entries 0 or 2.

    Drawn on the host and passed into the network, since no dropout in MindSpore is reproducible
    from a seed on a CPU both in PyNative and in graph mode (2.7 to 2.10).
    """
    sample = random(seed, stream, *position).random
    alone = stream is Stream.INFERENCE  # the first rank measures by itself
    uniform = sample(shape, dtype=np.float32) if alone else draw(shape, sample)
    return Tensor(dropout(uniform))


def parameter(value: np.ndarray, name: str, trained: bool = True) -> ms.Parameter:
    return ms.Parameter(Tensor(value.astype(np.float32)), name=name, requires_grad=trained)


def tensor_over(value: np.ndarray) -> Tensor:
    """Make a tensor that uses an array's memory, without a copy.

    On Linux (transparent_hugepage: madvise) NumPy requests huge pages for large arrays, MindSpore
    (2.8) does not; with them a first step has fewer page faults (see benchmarks/RESULTS.md).
    """
    return Tensor.from_numpy(value)
