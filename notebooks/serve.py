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
takes = network.get_inputs()[0]
_, channels, height, width = takes.shape


def drawn(picture: Image.Image) -> Image.Image:
    """Return what the network draws for a picture, as large as the picture."""
    seen = picture.convert(["L", "LA", "RGB", "RGBA"][channels - 1]).resize((width, height))
    x = np.array(seen, np.float32).reshape(height, width, channels) / 127.5 - 1  # -1 to 1
    y = network.run(None, {takes.name: x.transpose(2, 0, 1)[None]})[0][0]  # [C, H, W]
    planes = [Image.fromarray(127.5 * c + 128).resize(picture.size).convert("L") for c in y]
    return Image.fromarray(np.dstack(planes).squeeze())


def answer(request: dict, start: Callable[..., object]) -> list[bytes]:
    """Answer an image with an image, and anything else with one line."""
    try:
        upload = request["wsgi.input"].read(int(request["CONTENT_LENGTH"]))
        png = io.BytesIO()
        drawn(Image.open(io.BytesIO(upload))).save(png, "PNG")
        start("200 OK", [("Content-Type", "image/png")])
        return [png.getvalue()]
    except Exception as error:  # whatever was sent, the server goes on
        start("400 Bad Request", [("Content-Type", "text/plain")])
        return [f"expected an image, found {type(error).__name__}\n".encode()]


make_server("localhost", int(sys.argv[2]), answer).serve_forever()
