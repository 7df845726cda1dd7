"""The page as one file, with the network and onnxruntime's WebAssembly inside."""

import base64
import gzip
from pathlib import Path

import numpy as np
import onnx

from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.exchange.draw.network import Network
from pix2pix_ms.exchange.draw.server import page
from pix2pix_ms.machine.files import appearing_whole

PACKAGE = Path("node_modules/onnxruntime-web/dist")
RUNTIME = {"runtime": "ort.wasm.bundle.min.mjs", "wasm": "ort-wasm-simd-threaded.wasm"}
TRIED = "1.30.0"  # its release
SMALL = 100_000  # kernels of fewer numbers stay as they are: in 8 bits they cost 6 dB


def write(network: Network, out: Path) -> None:
    """Write the page to `out`.

    Raises:
        Pix2PixError: if onnxruntime for browsers is not installed, or the network adds colours.
    """
    here = Path.cwd()
    found = [each for each in (here, *here.parents) if is_whole(each / PACKAGE)]
    if not found:
        raise Pix2PixError(
            f"{here / PACKAGE}: expected onnxruntime for browsers there or in a folder above, "
            f"found none; run npm install onnxruntime-web@{TRIED}"
        )
    if network.config.target_channels == 2:
        raise Pix2PixError(
            f"{network.place}: expected a network that makes whole pictures for --single-file, "
            "found one that colours them; draw without it"
        )
    held = {name: (found[0] / PACKAGE / file).read_bytes() for name, file in RUNTIME.items()}
    held["model"] = quantised(network.model)
    blocks = ""
    for name, data in held.items():
        text = base64.b64encode(gzip.compress(data, mtime=0)).decode()
        blocks += f'<script type="text/plain" id="{name}">{text}</script>\n'
    with appearing_whole(out) as writing:
        writing.write_text(page(network, "alone.js", blocks), encoding="utf-8")


def is_whole(package: Path) -> bool:
    """Return whether all that is taken of onnxruntime-web is there."""
    return all((package / file).is_file() for file in RUNTIME.values())


def quantised(model: bytes) -> bytes:
    """Return an ONNX model with its kernels in 8 bits, and a scale for each output channel."""
    proto = onnx.load_from_string(model)
    graph, from_array = proto.graph, onnx.numpy_helper.from_array
    transposed = {node.input[1] for node in graph.node if node.op_type == "ConvTranspose"}
    for weight in list(graph.initializer):
        array, name = onnx.numpy_helper.to_array(weight), weight.name
        if array.ndim == 4 and array.size >= SMALL:
            axis = 1 if name in transposed else 0  # of the output channels
            others = tuple({0, 1, 2, 3} - {axis})
            scale = np.maximum(np.abs(array).max(others, keepdims=True) / 127, np.float32(1e-12))
            parts = f"{name}_8", f"{name}_scale"
            weight.CopyFrom(from_array(np.round(array / scale).astype(np.int8), parts[0]))
            graph.initializer.append(from_array(scale.ravel(), parts[1]))
            whole = onnx.helper.make_node("DequantizeLinear", parts, [name], axis=axis)
            graph.node.insert(0, whole)
    return bytes(proto.SerializeToString())
