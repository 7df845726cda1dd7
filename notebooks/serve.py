"""Serve an exported network without MindSpore: `python notebooks/serve.py facades.onnx 8000`.

`curl --data-binary @data/label_map.png localhost:8000 > generated.png` sends it an image, which is
squeezed to what the network sees, bicubic as in the package, and gets a PNG of the image's own
size. Squeezing blends the colours of a label map, that is its classes, so send one of the network's
size. Not for networks that colour, whose graph takes lightness and gives colours that `translate`
joins. It needs onnxruntime, NumPy and Pillow alone, and listens to this machine alone.
"""

import io
import sys
from collections.abc import Callable
from wsgiref.simple_server import make_server

import numpy as np
import onnxruntime
from PIL import Image

network = onnxruntime.InferenceSession(sys.argv[1])
_, channels, height, width = (takes := network.get_inputs()[0]).shape
modes = ("L", "LA", "RGB", "RGBA")  # what Pillow calls 1 to 4 channels


def generated(upload: bytes) -> bytes:
    """Return what the network makes of an image file, as PNG."""
    image = Image.open(io.BytesIO(upload)).convert(modes[channels - 1])
    values = np.array(image.resize((width, height)), np.float32).reshape(height, width, channels)
    x = values.transpose(2, 0, 1)[None] / 127.5 - 1  # 0 to 255, [H, W, C]: -1 to 1, [1, C, H, W]
    y = network.run(None, {takes.name: x})[0][0] * 127.5 + 128  # "L" drops the fraction
    planes = [Image.fromarray(plane).resize(image.size).convert("L") for plane in y]
    Image.merge(modes[len(planes) - 1], planes).save(png := io.BytesIO(), "PNG")
    return png.getvalue()


def answer(request: dict, start: Callable[..., object]) -> list[bytes]:
    """Answer an image with an image, and anything else with one line."""
    try:
        body = generated(request["wsgi.input"].read(int(request["CONTENT_LENGTH"])))
        start("200 OK", [("Content-Type", "image/png")])
    except Exception as error:  # whatever was sent, the server goes on
        body = f"expected an image, found {type(error).__name__}\n".encode()
        start("400 Bad Request", [("Content-Type", "text/plain")])
    return [body]


make_server("localhost", int(sys.argv[2]), answer).serve_forever()
