"""The page, and its server: for this machine alone, and for no other page."""

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any, get_args

import numpy as np

from pix2pix_ms.data.facades import PALETTE
from pix2pix_ms.data.facades.building import build
from pix2pix_ms.data.facades.geometry import Shape
from pix2pix_ms.errors import Pix2PixError, first_line
from pix2pix_ms.exchange.draw.network import Network

HERE = "127.0.0.1"
LONGEST = 5_000_000  # bytes of a request
GRID = 256  # the page's coordinates are whole numbers up to this
SEEDS = range(12, 28)  # of the facades in a page
SHADES = {"white": 255, "light": 192, "grey": 128, "dark": 64, "black": 0}  # of a pen


def page(network: Network, script: str, blocks: str = "") -> str:
    """Return the page as HTML, with the script that runs the network and elements with its data."""
    folder, config = files(__package__) / "page", network.config
    pen = {name: [shade] * 3 for name, shade in SHADES.items()}
    colours: dict[str, dict[str, Any]] = {"labels": PALETTE, "pen": pen, "picture": {}}
    facts = {
        "name": network.place.resolve().name, "input": network.input, "seed": config.seed,
        "height": network.shape[0], "width": network.shape[1], "squeezes": config.fit == "resize",
        "channels": config.input_channels, "masks": network.masks,
        "palette": list(colours[network.input].items()), "facades": [*map(parts_of, SEEDS)],
    }  # fmt: skip
    scripts = [f"const NETWORK = {json.dumps(facts)};".replace("<", r"\u003c")]
    for name in ("words.js", "drawing.js", script, "editor.js"):
        scripts.append((folder / name).read_text(encoding="utf-8"))
    html = (folder / "page.html").read_text(encoding="utf-8")
    html = html.replace("<!--STYLE-->", (folder / "page.css").read_text(encoding="utf-8"))
    return html.replace("<!--BLOCKS-->", blocks).replace("<!--SCRIPT-->", "\n".join(scripts))


def parts_of(seed: int) -> list[list[int]]:
    """Return the parts of a procedural facade: class, silhouette, left, top, width, height."""
    parts = []
    for part in build(seed).parts:
        left, top, right, bottom = (round(edge * GRID) for edge in part.box)
        kind, shape = list(PALETTE).index(part.kind), get_args(Shape).index(part.shape)
        parts.append([kind, shape, left, top, max(right - left, 1), max(bottom - top, 1)])
    return parts


class Handler(BaseHTTPRequestHandler):
    """Answers requests whose Host and Origin are this server's."""

    network: Network
    html: bytes
    protocol_version, timeout = "HTTP/1.1", 60  # seconds
    disable_nagle_algorithm = True  # it would hold answers back for 40 ms

    def do_GET(self) -> None:
        """Give the page, or the parts of a procedural facade."""
        place, seed = self.asked()
        if place == "/":
            self.answer(200, self.html, "text/html; charset=utf-8")
        elif place == "/facade":
            self.answer(200, json.dumps(parts_of(seed)).encode(), "application/json")
        elif place:
            self.refuse(404, "expected the address of the page")

    def do_POST(self) -> None:
        """Give what the network makes of an image, both as rows of RGBA bytes."""
        (place, seed), shape = self.asked(), (*self.network.shape, 4)
        length, size = self.headers.get("Content-Length", ""), int(np.prod(shape))
        most = max(LONGEST, size)
        if place and not (re.fullmatch(r"\d{1,12}", length) and int(length) <= most):
            self.refuse(413, f"expected at most {most} bytes, found {length[:12] or 'no length'}")
        elif place and not (place == "/building" and int(length) == size):
            self.refuse(400, f"expected an image of {shape} at /building, found {length} bytes")
        elif place and len(body := self.rfile.read(size)) == size:
            image = np.frombuffer(body, np.uint8).reshape(shape)
            self.answer(200, self.network(image, seed).tobytes(), "application/octet-stream")

    def asked(self) -> tuple[str, int]:
        """Return path and seed of a request; of another page's no path: it is refused."""
        here = f"{HERE}:{self.connection.getsockname()[1]}".removesuffix(":80")
        origin = self.headers.get("Origin", f"http://{here}")
        if self.headers.get("Host") != here or origin != f"http://{here}":
            self.refuse(403, f"expected the page at http://{here}, found another")
            return "", 0
        path, _, query = self.path.partition("?")
        seed = re.fullmatch(r"seed=(\d{1,16})", query)
        return path, int(seed[1]) if seed else 0

    def refuse(self, status: int, line: str) -> None:
        self.close_connection = True  # what else was sent is not read
        self.answer(status, line.encode(), "text/plain; charset=utf-8")

    def answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store",
            "X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin",
        }.items():  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A server that says nothing of a page that was closed while it waited."""

    def handle_error(self, *_: object) -> None:
        error = sys.exception()
        if error and not isinstance(error, OSError):
            print(f"warning: a request failed: {first_line(error)}", file=sys.stderr)


def server_of(network: Network, port: int) -> ThreadingHTTPServer:
    """Return a server of the network's page; port 0 is any that is free.

    Raises:
        Pix2PixError: if the port is not free.
    """
    known = {"network": network, "html": page(network, "served.js").encode()}
    try:
        return Server((HERE, port), type("Handler", (Handler,), known))
    except OSError as error:
        raise Pix2PixError(
            f"port {port}: expected a free one, found: {error.strerror}; choose another with --port"
        ) from error
