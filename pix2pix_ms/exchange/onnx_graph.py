"""A generator as an ONNX graph, written with the `onnx` library: a function for each kind of cell.

MindSpore's own ONNX export (2.8) gives a transposed convolution an attribute that onnxruntime
rejects, and fixes the size of the batch.

The batch size is free. In mode "paper" every image is normalised by its own statistics: batch
normalisation of a batch of one, the paper's, is instance normalisation. (The network in MindSpore
normalises a batch of several by the statistics of all.) Dropout masks are the same for every image.
"""

from functools import singledispatch
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import onnx  # after mindspore, which cannot be imported once this is (2.8)
from mindspore import Parameter, Tensor, nn
from onnx import TensorProto, helper, numpy_helper

from pix2pix_ms import __version__
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.exchange.frozen import INPUT, OUTPUT, Frozen
from pix2pix_ms.pix2pix.nets.blocks import (
    EPSILON,
    SLOPE,
    BatchNorm,
    ComposedUpconvolution,
    InstanceNorm,
    upconvolution,
)
from pix2pix_ms.pix2pix.nets.resnet import Layer, Residual, ResNet
from pix2pix_ms.pix2pix.nets.unet import Down, UNet, Up
from pix2pix_ms.training import weights

OPSET, IR_VERSION = 17, 8  # of 2022, so that older runtimes read them too


class Graph:
    """The nodes and weights of a graph; every value has a name."""

    def __init__(self, network: Frozen) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[TensorProto] = []
        masks = enumerate(network.masks)
        self.masks = [self.constant(f"mask_{number}", mask.asnumpy()) for number, mask in masks]

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def constant(self, name: str, array: np.ndarray) -> str:
        """Add a constant; return its name."""
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def parameters(self, *parameters: ms.Parameter) -> list[str]:
        """Add parameters as constants; return their names, which are those in a checkpoint."""
        return [self.constant(entry.name, entry.asnumpy()) for entry in parameters]


@singledispatch
def emit(cell: nn.Cell, graph: Graph, x: str) -> str:
    """Add the nodes of a cell with input x; return the name of its output."""
    del graph, x
    raise Pix2PixError(
        f"{type(cell).__name__}: expected a cell with an ONNX form, found none in "
        "exchange/onnx_graph.py; add it there"
    )


@emit.register(nn.Identity)
def _(cell: nn.Identity, graph: Graph, x: str) -> str:
    del cell, graph
    return x


def convolved(operator: str, cell: nn.Cell, graph: Graph, x: str) -> str:
    """Add a convolution, plain or transposed: MindSpore's and ONNX's kernels have one layout."""
    parameters = graph.parameters(cell.weight, *[cell.bias] * cell.has_bias)
    around = 0 if cell.pad_mode == "valid" else cell.padding
    top, bottom, left, right = (around,) * 4 if isinstance(around, int) else around
    return graph.add(
        operator, x, *parameters, strides=list(cell.stride), pads=[top, left, bottom, right],
        kernel_shape=list(cell.kernel_size),
    )  # fmt: skip


@emit.register(nn.Conv2d)
def _(cell: nn.Conv2d, graph: Graph, x: str) -> str:
    return convolved("Conv", cell, graph, x)


@emit.register(nn.Conv2dTranspose)
def _(cell: nn.Conv2dTranspose, graph: Graph, x: str) -> str:
    return convolved("ConvTranspose", cell, graph, x)


@emit.register(ComposedUpconvolution)
def _(cell: ComposedUpconvolution, graph: Graph, x: str) -> str:
    folded = upconvolution(cell.in_channels, cell.out_channels, cell.has_bias)
    folded.weight = Parameter(Tensor(weights.fold(cell.weight.asnumpy())), cell.weight.name)
    if cell.has_bias:
        folded.bias = cell.bias
    return convolved("ConvTranspose", folded, graph, x)


@emit.register(BatchNorm)
def _(cell: BatchNorm, graph: Graph, x: str) -> str:
    affine = graph.parameters(cell.gamma, cell.beta)
    if cell.statistics == "batch":
        return graph.add("InstanceNormalization", x, *affine, epsilon=EPSILON)
    moving = graph.parameters(cell.moving_mean, cell.moving_variance)
    return graph.add("BatchNormalization", x, *affine, *moving, epsilon=EPSILON)


def normalised(norm: nn.Cell, graph: Graph, x: str, channels: int) -> str:
    """Add a normalisation; `InstanceNorm`, which has no scale and shift, gets ones and zeros."""
    if not isinstance(norm, InstanceNorm):
        return emit(norm, graph, x)
    number = len(graph.nodes)
    one = graph.constant(f"one_{number}", np.ones(channels, np.float32))
    zero = graph.constant(f"zero_{number}", np.zeros(channels, np.float32))
    return graph.add("InstanceNormalization", x, one, zero, epsilon=EPSILON)


@emit.register(nn.ReflectionPad2d)
def _(cell: nn.ReflectionPad2d, graph: Graph, x: str) -> str:
    (top, bottom), (left, right) = cell.padding
    amounts = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    return graph.add("Pad", x, graph.constant(f"pads_{len(graph.nodes)}", amounts), mode="reflect")


@emit.register(Down)
def _(cell: Down, graph: Graph, x: str) -> str:
    rectified = x if cell.first else graph.add("LeakyRelu", x, alpha=SLOPE)
    return normalised(cell.norm, graph, emit(cell.conv, graph, rectified), cell.conv.out_channels)


@emit.register(Up)
def _(cell: Up, graph: Graph, x: str) -> str:
    doubled = emit(cell.conv, graph, graph.add("Relu", x))
    return normalised(cell.norm, graph, doubled, cell.conv.out_channels)


@emit.register(UNet)
def _(cell: UNet, graph: Graph, x: str) -> str:
    features = []
    for down in cell.downs:
        x = emit(down, graph, x)
        features.append(x)
    for block, up in enumerate(cell.ups):
        x = emit(up, graph, x)
        if graph.masks and block in cell.mask_of:
            x = graph.add("Mul", x, graph.masks[cell.mask_of[block]])
        if cell.skips and block < cell.levels - 1:
            x = graph.add("Concat", features[cell.levels - 2 - block], x, axis=1)
    return graph.add("Tanh", x)


@emit.register(Layer)
def _(cell: Layer, graph: Graph, x: str) -> str:
    x = emit(cell.conv, graph, x)
    return graph.add("Relu", normalised(cell.norm, graph, x, cell.conv.out_channels))


@emit.register(Residual)
def _(cell: Residual, graph: Graph, x: str, *mask: str) -> str:
    inner = emit(cell.first, graph, emit(cell.pad, graph, x))
    if mask:
        inner = graph.add("Mul", inner, *mask)
    change = emit(cell.second, graph, emit(cell.pad, graph, inner))
    return graph.add("Add", x, normalised(cell.norm, graph, change, cell.second.out_channels))


@emit.register(ResNet)
def _(cell: ResNet, graph: Graph, x: str) -> str:
    x = emit(cell.first, graph, emit(cell.pad, graph, x))
    for down in cell.downs:
        x = emit(down, graph, x)
    for block, residual in enumerate(cell.residuals):
        x = emit(residual, graph, x, *graph.masks[block : block + 1])
    for up in cell.ups:
        x = emit(up, graph, x)
    return graph.add("Tanh", emit(cell.last, graph, emit(cell.pad, graph, x)))


def model_of(network: Frozen) -> onnx.ModelProto:
    """Return the model: graph, weights in float32, metadata.

    From `input_image`, float32 [N, C, H, W] in [-1, 1], to `generated_image`, likewise.
    """
    graph = Graph(network)
    emit(network.generator, graph, INPUT)
    graph.nodes[-1].output[0] = OUTPUT
    _, channels, height, width = network.shape
    takes, gives = (
        helper.make_tensor_value_info(
            name, TensorProto.FLOAT, ["N", count, height, width], "NCHW, values in [-1, 1]"
        )
        for name, count in ((INPUT, channels), (OUTPUT, network.config.target_channels))
    )
    model = helper.make_model(
        helper.make_graph(graph.nodes, network.config.model, [takes], [gives], graph.weights),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="pix2pix_ms",
        producer_version=__version__,
    )
    helper.set_model_props(model, network.facts())
    return model


def write(network: Frozen, path: Path) -> None:
    """Write the model to one file."""
    path.write_bytes(model_of(network).SerializeToString())
