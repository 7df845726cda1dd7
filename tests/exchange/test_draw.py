"""The page on which one draws: in a browser, over HTTP, and as a single file."""

import base64
import http.client
import json
import shutil
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pix2pix_ms.config.family import CycleGANConfig
from pix2pix_ms.config.models import preset
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.facades import COLOURS, PALETTE, classes_of, facade
from pix2pix_ms.data.pair_batches import training_data
from pix2pix_ms.exchange.draw.network import Network, input_of, open_network
from pix2pix_ms.exchange.draw.server import LONGEST, SEEDS, server_of
from pix2pix_ms.exchange.draw.single_file import PACKAGE, TRIED, is_whole, quantised
from pix2pix_ms.pix2pix.nets.unet import UNet
from pix2pix_ms.pix2pix.translate import Translator
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.checkpoints import SHIPPED, SHIPPED_SEGMENTER
from pix2pix_ms.training.run import Run
from tests.runs import REPOSITORY, environment, output, refusal, saved

pytestmark = pytest.mark.slow
needs_npm = pytest.mark.skipif(
    not is_whole(REPOSITORY / PACKAGE), reason=f"needs npm install onnxruntime-web@{TRIED}"
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copy(SHIPPED / "facades_64.ckpt", tmp_path_factory.mktemp("draw")))


@pytest.fixture(scope="module")
def network(checkpoint: Path) -> Network:
    return open_network(checkpoint)


def serving(network: Network) -> Iterator[str]:
    """Serve a network's page; give its address."""
    server = server_of(network, 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def address(network: Network) -> Iterator[str]:
    yield from serving(network)


def rgba(image: np.ndarray) -> np.ndarray:
    return np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])


# ---- the network ----


@pytest.mark.parametrize("seed", [0, 5])
def test_a_drawing_becomes_what_translate_makes_of_it(
    network: Network, checkpoint: Path, seed: int
) -> None:
    label_map = facade(3, 64).label_map
    expected = Translator(*checkpoints.load_generator(checkpoint), seed=seed).image(label_map)
    found = network(rgba(label_map), seed)
    assert np.abs(found[..., :3].astype(int) - expected).max() <= 1
    assert (found[..., 3] == 255).all()


def test_it_is_exported_once_and_again_after_a_training(
    network: Network, checkpoint: Path, tmp_path: Path, tiny: Config
) -> None:
    assert network.masks
    code = (
        "import sys; sys.modules['mindspore'] = None; from pathlib import Path\n"
        "from pix2pix_ms.exchange.draw.network import open_network\n"
        f"assert open_network(Path({str(checkpoint)!r})).input == 'labels'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=environment())
    place = saved(UNet(tiny), tiny, tmp_path / "g.ckpt")
    before = open_network(place).model
    saved(UNet(tiny), replace(tiny, seed=1), place)
    assert open_network(place).model != before
    assert len([*tmp_path.iterdir()]) == 2, "the checkpoint and one hidden file"


def test_the_settings_say_how_it_is_drawn_on(data: Any, tiny: Config, tmp_path: Path) -> None:
    alone = tmp_path / "g.ckpt"
    assert input_of(tiny, alone) == "labels"
    assert input_of(replace(tiny, input_channels=1), alone) == "pen"
    lab = preset("quick", input_channels=1, target_channels=2, colours="lab")
    assert input_of(lab, alone) == input_of(CycleGANConfig(), alone) == "picture"
    run = Run(tmp_path / "run")
    run.begin(tiny, training_data(data.train.record.path, 0).identity())
    assert input_of(tiny, run.last) == "labels"
    assert input_of(replace(tiny, direction="BtoA"), run.last) == "picture"


# ---- the server ----


def test_it_answers_its_own_page_alone(address: str, network: Network) -> None:
    here = address.split("/")[2]
    image = rgba(facade(3, 64).label_map).tobytes()

    def asked(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(here)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, given)
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    status, html = asked("GET", "/")
    assert status == 200 and html.startswith(b"<!doctype html>")
    status, building = asked("POST", "/building?seed=5", image, Origin=f"http://{here}")
    assert status == 200
    drawn = np.frombuffer(image, np.uint8).reshape(64, 64, 4)
    np.testing.assert_array_equal(
        np.frombuffer(building, np.uint8), network(drawn, 5).ravel(), "as asked in Python"
    )
    assert asked("GET", "/facade?seed=12")[0] == 200
    port = here.split(":")[1]
    for foreign in (
        {"Host": f"example.org:{port}"}, {"Host": "127.0.0.1"},
        {"Origin": "http://example.org"}, {"Origin": "null"}, {"Origin": f"https://{here}"},
    ):  # fmt: skip
        assert asked("GET", "/", **foreign)[0] == 403
        assert asked("POST", "/building?seed=0", image, **foreign)[0] == 403
    for path in ("/README.md", "/../README.md", "//etc/passwd", "/page.css"):
        assert asked("GET", path)[0] == 404
    assert asked("POST", "/building", image[:-1])[0] == 400
    assert asked("POST", "/facade", image)[0] == 400
    status, line = asked("POST", "/building", b"", Content_Length=str(LONGEST + 1))
    assert (status, line) == (413, b"expected at most 5000000 bytes, found 5000001")
    assert asked("POST", "/building", b"", Content_Length="many")[0] == 413


# ---- the command ----


def test_mistakes_are_one_line(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refusal("draw", "--checkpoint", checkpoint, "--port", port, about=f"port {port}: expected")
    page, none = tmp_path / "page.html", tmp_path / "none.ckpt"
    refusal("draw", "--checkpoint", none, about=f"{none}: expected a checkpoint, found none")
    (tmp_path / "torn.ckpt").write_bytes(checkpoint.read_bytes()[:1000])
    torn = tmp_path / "torn.ckpt"
    refusal("draw", "--checkpoint", torn, about=f"{torn}: expected a MindSpore checkpoint")
    refusal("draw", "--checkpoint", SHIPPED_SEGMENTER, about=SHIPPED_SEGMENTER)
    monkeypatch.chdir(tmp_path)
    words = ("draw", "--checkpoint", checkpoint, "--single-file", page)
    assert refusal(*words, about=tmp_path).endswith(f"run npm install onnxruntime-web@{TRIED}")
    assert refusal(*words, "--port", 1, about="port 1: expected none with --single-file")
    page.write_text("mine")
    assert "exists" in refusal(*words, about=page)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for name in [name for name in sys.modules if name.startswith("pix2pix_ms.exchange.draw")]:
        monkeypatch.delitem(sys.modules, name)
    line = refusal("draw", "--checkpoint", checkpoint, about="draw: expected the package onnx")
    assert line.endswith("pip install onnxruntime")


# ---- the page, in a browser ----


class Sheet:
    """A page in the browser, with what it asks of whom, and what its address holds."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.page = browser.new_page(viewport={"width": 1000, "height": 720}, **options)
        self.page.set_default_timeout(10_000)
        self.asked: list[str] = []
        self.failed: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.failed.append(str(error)))
        self.page.on("console", lambda message: self.failed.append(message.text))
        self.page.goto(address)
        self.box = self.page.locator("#stage").bounding_box()

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the grid of 256 is in the window."""
        scale = self.box["width"] / 256
        return self.box["x"] + x * scale, self.box["y"] + y * scale

    def drag(self, *points: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*self.place(*points[0]))
        mouse.down()
        for point in points[1:]:
            mouse.move(*self.place(*point), steps=3)
        mouse.up()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def drop(self, name: str, content: bytes) -> None:
        """Drop a file on the page."""
        text = base64.b64encode(content).decode()
        self.page.evaluate(
            """([name, text]) => {
              const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
              const dataTransfer = new DataTransfer();
              dataTransfer.items.add(new File([bytes], name));
              document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
            }""",
            [name, text],
        )

    def building(self) -> np.ndarray:
        """The newest building, uint8 [H, W, 4], once it is there."""
        self.page.wait_for_selector("#building[data-state=ready]")
        url = self.page.evaluate("document.querySelector('#building').toDataURL()")
        return np.asarray(Image.open(BytesIO(base64.b64decode(url.split(",")[1]))))

    def drawing(self) -> list[Any]:
        """Seed, ground and shapes, from the address, once that is the newest."""
        self.page.wait_for_selector("body[data-kept=yes]")
        text = self.page.evaluate("location.hash")[1:]
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return list(json.loads(zlib.decompress(packed, -15)))

    def save(self, what: str) -> np.ndarray:
        with self.page.expect_download() as download:
            self.page.click(f"[data-save={what}]")
        assert download.value.suggested_filename == f"{what}.png"
        return np.asarray(Image.open(download.value.path()).convert("RGBA"))

    def line(self) -> str:
        return str(self.page.inner_text("#status"))


@pytest.fixture
def sheet(browser: Any, address: str) -> Iterator[Sheet]:
    sheet = Sheet(browser, address)
    sheet.building()
    yield sheet
    assert sheet.failed == []
    assert {url.split("/")[2] for url in sheet.asked if "://" in url} == {address.split("/")[2]}
    sheet.page.close()


def test_a_rectangle_changes_the_building_and_undo_brings_it_back(sheet: Sheet) -> None:
    before = sheet.building()
    seed, ground, shapes = sheet.drawing()
    sheet.press("4")
    sheet.drag((40, 60), (80, 130))
    after = sheet.building()
    assert np.abs(after.astype(int) - before).max() > 50
    assert sheet.drawing() == [seed, ground, [*shapes, [3, 0, 40, 60, 40, 70]]]
    sheet.press("Control+z")
    np.testing.assert_array_equal(sheet.building(), before)
    sheet.press("Control+Shift+z")
    np.testing.assert_array_equal(sheet.building(), after)
    sheet.page.click("[data-do=undo]")
    np.testing.assert_array_equal(sheet.building(), before)


def test_shapes_are_moved_resized_copied_recoloured_and_deleted(sheet: Sheet) -> None:
    sheet.page.click("[data-do=wall]")
    sheet.press("3")
    sheet.drag((40, 60), (60, 90))
    wall, window = sheet.drawing()[2]
    assert window == [2, 0, 40, 60, 20, 30]
    sheet.press("v")
    sheet.drag((50, 75), (60, 95))
    assert sheet.drawing()[2] == [wall, [2, 0, 50, 80, 20, 30]]
    sheet.drag((70, 110), (80, 100))  # its lower right corner
    assert sheet.drawing()[2] == [wall, [2, 0, 50, 80, 30, 20]]
    sheet.press("Control+d")
    sheet.drag((70, 95), (102, 87))  # the copy, away to the right
    sheet.press("Control+d", "Control+d", "ArrowUp", "8")
    copies = [[2, 0, x, 80, 30, 20] for x in (50, 90, 130)]
    assert sheet.drawing()[2] == [wall, *copies, [7, 0, 170, 79, 30, 20]]
    sheet.press("Delete")
    assert sheet.drawing()[2] == [wall, *copies]
    sheet.press("r", "Control+c", "Control+v")
    sheet.page.mouse.click(*sheet.place(100, 90))  # selects, where a drag would draw
    sheet.press("Backspace")
    assert sheet.drawing()[2] == [wall, copies[0], copies[2]]
    sheet.press("b", "9")
    sheet.drag((30, 200), (60, 200), (60, 230))
    kind, form, radius, *steps = sheet.drawing()[2][-1]
    assert (kind, form, radius, steps[:2]) == (8, 6, 6, [30, 200])
    assert [sum(steps[0::2]), sum(steps[1::2])] == [60, 230]
    sheet.press("v")
    sheet.drag((60, 215), (70, 215))
    assert sheet.drawing()[2][-1][3:] == [40, *steps[1:]]


@pytest.mark.parametrize("kind", ["touch", "pen"])
def test_fingers_and_pens_draw(sheet: Sheet, kind: str) -> None:
    before = sheet.drawing()[2]
    devtools = sheet.page.context.new_cdp_session(sheet.page)
    start, middle, end = (sheet.place(*point) for point in ((40, 60), (60, 70), (80, 130)))
    if kind == "touch":
        for step, place in (("Start", start), ("Move", middle), ("Move", end), ("End", None)):
            points = [{"x": place[0], "y": place[1]}] if place else []
            asked = {"type": f"touch{step}", "touchPoints": points}
            devtools.send("Input.dispatchTouchEvent", asked)
    else:
        steps = (("Pressed", start), ("Moved", middle), ("Moved", end), ("Released", end))
        for step, (x, y) in steps:
            asked = {"type": f"mouse{step}", "x": x, "y": y, "button": "left", "buttons": 1,
                     "clickCount": 1, "pointerType": "pen"}  # fmt: skip
            devtools.send("Input.dispatchMouseEvent", asked)
    assert sheet.drawing()[2] == [*before, [2, 0, 40, 60, 40, 70]]


def png(image: np.ndarray) -> bytes:
    Image.fromarray(image).save(file := BytesIO(), "PNG")
    return file.getvalue()


def test_a_picture_is_dropped_saved_and_restored_by_the_address(
    sheet: Sheet, browser: Any, network: Network
) -> None:
    noise = np.random.default_rng(0).integers(-9, 10, (256, 256, 3))
    label_map = facade(7, 256).label_map
    sheet.drop("map.png", png(np.clip(label_map + noise, 0, 255).astype(np.uint8)))
    sheet.page.wait_for_selector("[data-do=undo]:enabled")
    building = sheet.building()
    ground = np.array([ord(sign) - 97 for sign in sheet.drawing()[1]]).reshape(256, 256)
    assert (ground == classes_of(label_map)).mean() > 0.999
    sheet.press("b", "5")
    sheet.drag((20, 20), (100, 40))
    sheet.page.click("[data-do=another]")
    building, (seed, *_) = sheet.building(), sheet.drawing()
    drawing = sheet.save("drawing")
    assert {tuple(c) for c in drawing.reshape(-1, 4)[:, :3]} <= {tuple(c) for c in COLOURS}
    np.testing.assert_array_equal(sheet.save("building"), building)
    np.testing.assert_array_equal(network(drawing, seed), building)
    np.testing.assert_array_equal(sheet.save("both"), np.hstack([drawing, building]))
    other = Sheet(browser, sheet.page.url)
    np.testing.assert_array_equal(other.building(), building)
    assert other.drawing() == sheet.drawing()
    other.page.close()


def test_the_first_facade_and_another_are_python_s(sheet: Sheet) -> None:
    expected = facade(SEEDS[0], 64).label_map
    same = (sheet.save("drawing")[..., :3] == expected).all(axis=2)
    assert same.mean() > 0.96, "but for edges, which are rounded to the grid first"
    before, address = sheet.drawing(), sheet.page.url
    sheet.page.click("[data-do=facade]")
    sheet.page.wait_for_function("address => location.href !== address", arg=address)
    assert sheet.drawing() != before


def test_another_building_is_of_the_same_drawing(sheet: Sheet) -> None:
    before, (seed, *drawing) = sheet.building(), sheet.drawing()
    sheet.press("n")
    assert np.abs(sheet.building().astype(int) - before).max() > 5
    assert sheet.drawing()[0] != seed
    assert sheet.drawing()[1:] == drawing


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("notes.txt", b"no picture", "notes.txt: expected a picture, found something else"),
        ("torn.png", png(facade(1, 64).photo)[:20], "torn.png: expected a picture"),
        ("wide.png", None, "wide.png: expected at most 20 megapixels, found 20.0"),
    ],
)
def test_what_is_no_picture_is_one_line(
    sheet: Sheet, name: str, content: bytes | None, line: str
) -> None:
    if content is None:
        content = png(np.zeros((4001, 5000), np.uint8))
    before = sheet.drawing()
    sheet.drop(name, content)
    sheet.page.wait_for_selector("#status.error")
    assert sheet.line().startswith(line)
    assert sheet.drawing() == before


def test_it_speaks_chinese(sheet: Sheet) -> None:
    assert sheet.page.inner_text("[data-kind='1']").split() == ["wall", "2"]
    sheet.page.click("[data-do=language]")
    names = [name.split()[0] for name in sheet.page.locator("[data-kind]").all_inner_texts()]
    words = "背景 墙面 窗 门 檐口 窗台 阳台 遮阳帘 装饰 线脚 柱子 店铺"
    assert names == words.split()
    assert len(names) == len(PALETTE)
    assert sheet.page.title() == "画一座立面"
    assert sheet.page.get_attribute("html", "lang") == "zh-Hans"


def test_an_address_without_a_drawing_is_one_line(browser: Any, address: str) -> None:
    for wrong in ("nothing", base64.urlsafe_b64encode(b"{}").decode()):
        sheet = Sheet(browser, f"{address}#{wrong}")
        sheet.page.wait_for_selector("#status.error:has-text('address')")
        assert len(sheet.drawing()[2]) > 10
        sheet.page.close()


def test_a_server_that_is_gone_is_one_line(browser: Any, address: str) -> None:
    sheet = Sheet(browser, address)
    sheet.building()
    sheet.page.context.set_offline(True)
    sheet.press("n")
    sheet.page.wait_for_selector("#status.error")
    assert sheet.line().endswith("Is pix2pix-ms draw still running?")
    sheet.page.close()


def test_networks_of_grey_get_a_pen_and_those_of_photos_a_picture(
    browser: Any, tmp_path: Path, tiny: Config
) -> None:
    grey = replace(tiny, input_channels=1, height=64, width=128)
    lab = replace(grey, target_channels=2, colours="lab")
    for config, kind in ((grey, "pen"), (lab, "picture")):
        place = saved(UNet(config), config, tmp_path / f"{kind}.ckpt")
        network = open_network(place)
        server = serving(network)
        sheet = Sheet(browser, next(server))
        before = sheet.building()
        assert before.shape == (64, 128, 4)
        assert sheet.page.get_attribute("body", "data-input") == kind
        if kind == "pen":
            sheet.drag((20, 20), (200, 100))
            drawing = sheet.save("drawing")
            assert {tuple(colour) for colour in drawing.reshape(-1, 4)} == {
                (255, 255, 255, 255), (0, 0, 0, 255),
            }  # fmt: skip
        else:
            assert sheet.line() == "Drop a picture here, or open one."
            sheet.drop("photo.png", png(facade(1, 128).photo[:64]))
            sheet.page.wait_for_selector("#status:has-text('ms')")
            drawing = sheet.save("drawing")
            np.testing.assert_array_equal(drawing[..., :3], facade(1, 128).photo[:64])
        np.testing.assert_array_equal(network(drawing, config.seed), sheet.building())
        assert sheet.failed == []
        sheet.page.close()
        next(server, None)


# ---- the single file ----


@needs_npm
def test_the_single_file_asks_nobody_and_computes_the_same(
    browser: Any, network: Network, checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "draw.html"
    words = ("draw", "--checkpoint", checkpoint, "--single-file", out)
    assert output(*words) == f"{out}: {out.stat().st_size / 1e6:.1f} MB\n"
    sheet = Sheet(browser, out.as_uri())
    sheet.press("4")
    sheet.drag((40, 60), (80, 130))
    sheet.page.wait_for_selector("#status:has-text('ms')")
    building, drawing = sheet.building(), sheet.save("drawing")
    small = Network(quantised(network.model), checkpoint)
    small.masks = {}
    small.noise = lambda seed: mulberry(seed, network.masks)  # type: ignore[method-assign]
    assert np.abs(small(drawing, 0).astype(int) - building).max() <= 2
    sheet.page.click("[data-do=facade]")
    assert np.abs(sheet.building().astype(int) - building).max() > 50
    sheet.drop("notes.txt", b"no picture")
    sheet.page.wait_for_selector("#status.error")
    assert sheet.failed == []
    assert [url for url in sheet.asked if not url.startswith(("blob:", "data:"))] == [out.as_uri()]
    sheet.page.close()


def mulberry(seed: int, masks: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """The dropout of the single file, by the generator mulberry32."""
    drawn = {}
    for name, shape in masks.items():
        count = int(np.prod(shape))
        states = (seed + 0x6D2B79F5 * np.arange(1, count + 1, dtype=np.uint64)).astype(np.uint32)
        seed = int(states[-1])
        mixed = (states ^ states >> 15) * (1 | states)
        mixed = mixed + (mixed ^ mixed >> 7) * (61 | mixed) ^ mixed
        drawn[name] = 2 * ((mixed ^ mixed >> 14) >> 31).astype(np.float32).reshape(shape)
    return drawn


@pytest.mark.parametrize("name", ["facades-128"])
def test_eight_bits_are_near_enough(name: str, tmp_path: Path) -> None:
    place = Path(shutil.copytree(SHIPPED / name, tmp_path / name))
    network = open_network(place)
    small = Network(quantised(network.model), place)
    seen = [facade(seed, network.shape[0]).label_map for seed in range(4)]
    errors = [np.square(network.run(x, 0) - small.run(x, 0)).mean() for x in seen]
    assert 10 * np.log10(4 / np.mean(errors)) > 50
    assert len(small.model) < len(network.model) / 3.5
