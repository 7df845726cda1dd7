"""MindIR and ONNX files compute what the network computes."""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import onnx
import onnxruntime
import pytest
from mindspore import Tensor, nn
from PIL import Image

from pix2pix_ms.config.family import CycleGANConfig
from pix2pix_ms.config.models import preset
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.facades import facade
from pix2pix_ms.data.pair_batches import TrainingData, plain_data
from pix2pix_ms.data.records import rows_of
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.exchange.export import export_as
from pix2pix_ms.exchange.frozen import INPUT, OUTPUT, freeze
from pix2pix_ms.exchange.onnx_graph import model_of
from pix2pix_ms.family.cyclegan.step import generator as cyclegan_generator
from pix2pix_ms.family.stargan.translate import SHIPPED as SHIPPED_AVERAGES
from pix2pix_ms.pix2pix.nets.blocks import set_statistics
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.nets.unet import UNet
from pix2pix_ms.pix2pix.step import generator_of
from pix2pix_ms.pix2pix.translate import STATISTICS, Mode, Translator
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.checkpoints import SHIPPED_GENERATOR, SHIPPED_SEGMENTER
from tests.runs import output, refusal

SERVER = Path(__file__).parents[2] / "notebooks" / "serve.py"
RNG = np.random.default_rng(5)


def alive(network: nn.Cell, config: Any) -> nn.Cell:
    """Give a network weights under which every layer matters, and statistics of its own."""
    initialise(network, config)
    for name, entry in network.parameters_dict().items():
        if entry.ndim > 1:
            entry.set_data(
                entry / np.float32(config.init_gain * np.sqrt(np.prod(entry.shape[1:]) / 2))
            )
        elif name.endswith(("gamma", "moving_variance")):
            entry.set_data(Tensor(RNG.uniform(0.5, 1.5, entry.shape).astype(np.float32)))
        else:
            entry.set_data(Tensor(RNG.uniform(-0.3, 0.3, entry.shape).astype(np.float32)))
    return network


@pytest.fixture(scope="module")
def unet(tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the smallest network with a dropout block."""
    place = tmp_path_factory.mktemp("unet") / "g.ckpt"
    checkpoints.save(alive(UNet(tiny), tiny).get_parameters(), place, tiny)
    return place


@pytest.fixture(scope="module")
def images(data: TrainingData, tiny: Config) -> np.ndarray:
    """Held-out facades as the network sees them, float32 [2, 3, 64, 64]."""
    rows = rows_of(plain_data(data.held_out, tiny), data.held_out.record.path)
    return np.concatenate([row["x"] for row in rows])[:2]


def wanted(network: Any, images: np.ndarray, mode: Mode, masks: tuple[Tensor, ...]) -> np.ndarray:
    """The network's output for every image by itself."""
    network.set_train(False)
    set_statistics(network, STATISTICS[mode])
    return np.concatenate([network(Tensor(x[None]), *masks).asnumpy() for x in images])


def ran(model: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    """onnxruntime's output for the images, one batch."""
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (found,) = session.run([OUTPUT], {INPUT: images})
    return found


@pytest.mark.parametrize("mode", ["paper", "eval"])
@pytest.mark.parametrize("seed", [None, 3])
def test_graphs_compute_what_the_network_does(
    unet: Path, images: np.ndarray, tmp_path: Path, capfd: Any, mode: Mode, seed: int | None
) -> None:
    choices = {"mode": mode, "dropout_seed": seed}
    (out,) = export_as(unet, tmp_path / "g.onnx", **choices)
    network, config = checkpoints.load_generator(unet)
    expected = wanted(network, images, mode, freeze(network, config, **choices).masks)
    assert np.abs(expected).mean() > 0.1, "the image is not grey"
    capfd.readouterr()
    found = ran(onnx.load(out), images)
    assert capfd.readouterr() == ("", ""), "onnxruntime has nothing to warn of"
    np.testing.assert_allclose(found, expected, atol=1e-3)
    for change in ({"mode": "eval" if mode == "paper" else "paper"},
                   {"dropout_seed": None if seed else 3}):  # fmt: skip
        other = freeze(network, config, **choices | change)
        unlike = wanted(network, images, other.mode, other.masks)
        assert np.abs(found - unlike).max() > 0.05, "another mode or mask would show"

    (out,) = export_as(unet, tmp_path / "größte alone" / "g.mindir", **choices)
    before, graph = out.read_bytes(), nn.GraphCell(ms.load(str(out)))
    start = {p.name: p.asnumpy().copy() for p in graph.get_parameters()}
    for _ in range(3):
        found = np.concatenate([graph(Tensor(x[None])).asnumpy() for x in images])
        np.testing.assert_allclose(found, expected, atol=1e-5)
    for entry in graph.get_parameters():
        np.testing.assert_array_equal(entry.asnumpy(), start[entry.name], "changed by a call")
    assert [path.name for path in out.parent.iterdir()] == ["g.mindir"]
    assert out.read_bytes() == before
    assert b"value_range" in before
    assert out.stat().st_mode & 0o400


@pytest.mark.parametrize("generator", ["unet", "resnet"])
def test_the_frozen_masks_are_those_of_every_image(
    unet: Path, images: np.ndarray, tiny: Config, generator: Any
) -> None:
    network, config = checkpoints.load_generator(unet)
    if generator == "resnet":
        config = replace(config, generator=generator, n_blocks=2, upsampling="composed")
        network = alive(generator_of(config), config)
    model = model_of(freeze(network, config, dropout_seed=tiny.seed))
    translator = Translator(network, config)
    expected = np.concatenate([translator(x[None]) for x in images])
    np.testing.assert_allclose(ran(model, images), expected, atol=1e-3)


def narrow(**changes: Any) -> Config:
    return preset("quick", ngf=2, ndf=2, **changes)


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        (narrow(norm="instance"), (64, 64)),
        (narrow(norm="none", skips=False), (64, 64)),
        (narrow(levels=3, input_channels=1, target_channels=2, colours="lab"), (40, 56)),
        (narrow(height=64, width=128, input_channels=4, target_channels=1), (128, 64)),
    ],
    ids=["instance", "encoder-decoder", "lab", "another size"],
)
def test_every_unet_has_a_graph(config: Config, shape: tuple[int, int]) -> None:
    network = alive(UNet(config), config)
    frozen = freeze(network, config, height=shape[0], width=shape[1])
    x = RNG.uniform(-1, 1, frozen.shape).astype(np.float32)
    found = ran(model_of(frozen), x)
    assert found.shape == (1, config.target_channels, *shape)
    np.testing.assert_allclose(found, wanted(network, x, "paper", ()), atol=1e-3)


@pytest.mark.parametrize(
    ("norm", "upsampling"),
    [("instance", "transposed"), ("instance", "composed"), ("batch", "transposed"),
     ("none", "composed")],
)  # fmt: skip
def test_cyclegans_generators_have_a_graph(norm: Any, upsampling: Any, tmp_path: Path) -> None:
    small = {"size": 16, "jitter_size": 16, "ngf": 2, "ndf": 2, "n_blocks": 2}
    config = CycleGANConfig(**small, norm=norm, upsampling=upsampling)
    ways = {way: alive(cyclegan_generator(config, way), config) for way in ("AtoB", "BtoA")}
    parameters = [p for network in ways.values() for p in network.get_parameters()]
    checkpoints.save(parameters, tmp_path / "c.ckpt", config)
    x = RNG.uniform(-1, 1, (2, 3, 16, 24)).astype(np.float32)
    for way, network in ways.items():
        choices = {"width": 24, "direction": way, "mode": "eval"}
        expected = wanted(network, x, "eval", ())
        (out,) = export_as(tmp_path / "c.ckpt", tmp_path / f"{way}.onnx", **choices)
        np.testing.assert_allclose(ran(onnx.load(out), x), expected, atol=1e-3)
    (out,) = export_as(tmp_path / "c.ckpt", tmp_path / "g.mindir", **choices)
    found = nn.GraphCell(ms.load(str(out)))(Tensor(x[:1])).asnumpy()
    np.testing.assert_allclose(found, expected[:1], atol=1e-5)


def test_the_file_says_what_it_holds(unet: Path, tmp_path: Path, tiny: Config) -> None:
    export_as(unet, tmp_path / "g.onnx", size=128, dropout_seed=3)
    session = onnxruntime.InferenceSession(tmp_path / "g.onnx")
    (takes,), (gives,) = session.get_inputs(), session.get_outputs()
    assert (takes.name, takes.shape) == ("input_image", ["N", 3, 128, 128])
    assert (gives.name, gives.shape) == ("generated_image", ["N", 3, 128, 128])
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["config"]) == json.loads(tiny.to_json())
    assert [facts[name] for name in ("mode", "value_range", "layout", "dropout_seed")] == [
        "paper", "[-1, 1]", "NCHW", "3",
    ]  # fmt: skip
    model = onnx.load(tmp_path / "g.onnx")
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    kept, _, _ = checkpoints.load(unet)
    weights = {w.name: onnx.numpy_helper.to_array(w) for w in model.graph.initializer}
    for name, array in kept.items():
        if not name.endswith(("moving_mean", "moving_variance")):
            np.testing.assert_array_equal(weights[name], array.asnumpy(), name)


def test_mindspore_still_refuses_such_folders(tmp_path: Path) -> None:
    """Where a release does not, mindir.py need not go into them."""
    with pytest.raises(ValueError, match="is illegal"):
        ms.export(nn.ReLU(), Tensor([1.0]), file_name=f"{tmp_path}/größte/g", file_format="MINDIR")


@pytest.mark.parametrize(
    ("words", "about"),
    [
        ("{unet} --out {tmp}/g.onnx --size 100", "size"),
        ("{unet} --out {tmp}/g.onnx --height 32", "height"),
        ("{unet} --out {tmp}/g.pb", "{tmp}/g.pb"),
        ("{unet} --out {tmp}/g --format onnx", "{tmp}/g"),
        ("{unet} --out {tmp}/g.onnx --format mindir", "{tmp}/g.onnx"),
        ("{unet} --out {tmp}/g.safetensors --size 64", "size"),
        ("{unet} --out {tmp}/g.onnx --direction BtoA", "{unet}"),
        ("{segmenter} --out {tmp}/g.onnx", "{segmenter}/segmenter.safetensors"),
        ("{stargan} --out {tmp}/g.mindir", "{stargan}/averages.safetensors"),
        ("{no} --out {tmp}/g.onnx", "{no}"),
    ],
)
def test_what_cannot_be_exported_leaves_nothing(
    unet: Path, tmp_path: Path, words: str, about: str
) -> None:
    places = {
        "unet": unet, "tmp": tmp_path, "segmenter": SHIPPED_SEGMENTER,
        "stargan": SHIPPED_AVERAGES, "no": SHIPPED_GENERATOR / "log.csv",
    }  # fmt: skip
    refusal("export", *words.format(**places).split(), about=f"{about.format(**places)}: expected ")
    assert list(tmp_path.iterdir()) == []


def test_choices_of_other_networks_and_too_large_ones_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = narrow(levels=3)  # without dropout
    for choices in ({"mode": "train"}, {"dropout_seed": 1}):
        with pytest.raises(Pix2PixError, match=f"^{next(iter(choices))}: "):
            freeze(UNet(config), config, **choices)
    monkeypatch.setattr("pix2pix_ms.exchange.frozen.LARGEST", 10_000)
    with pytest.raises(Pix2PixError, match="expected float32 weights of less than"):
        freeze(UNet(narrow()), narrow())


def test_the_command_says_what_it_wrote(unet: Path, tmp_path: Path) -> None:
    out = tmp_path / "g.onnx"
    words = ("--out", out, "--format", "onnx", "--mode", "eval", "--dropout-seed", 1)
    said = output("export", unet, *words)
    assert said == f"{out}: {out.stat().st_size / 1e6:.1f} MB\n"
    assert list(tmp_path.iterdir()) == [out]


def test_an_interrupted_export_leaves_the_file_as_it_was(
    unet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "g.onnx").write_text("the old one")
    monkeypatch.setattr("pix2pix_ms.exchange.onnx_graph.model_of", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_as(unet, tmp_path / "g.onnx", force=True)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["the old one"]


def test_without_onnx_it_says_what_to_install(
    unet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "pix2pix_ms.exchange.onnx_graph")
    with pytest.raises(Pix2PixError, match="pip install onnx$"):
        export_as(unet, tmp_path / "g.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def server(unet: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the script, at work in a process that can import neither of ours."""
    export_as(unet, tmp_path / "g.onnx", mode="eval")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    code = (
        "import runpy, sys; sys.modules['mindspore'] = sys.modules['pix2pix_ms'] = None; "
        f"sys.argv[1:] = [{str(tmp_path / 'g.onnx')!r}, {str(port)!r}]; "
        f"runpy.run_path({str(SERVER)!r}, run_name='__main__')"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    for _ in range(600):
        assert process.poll() is None, "the server ended"
        with socket.socket() as probe:
            if probe.connect_ex(("localhost", port)) == 0:
                break
        time.sleep(0.05)
    yield f"http://localhost:{port}"
    process.kill()
    process.wait()


def test_the_server_answers_as_the_translator_does(server: str, unet: Path) -> None:
    label_map = facade(100_001, 128).label_map[:80, :70]
    Image.fromarray(label_map).save(png := BytesIO(), "PNG")
    with urllib.request.urlopen(server, png.getvalue()) as answer:
        found = np.asarray(Image.open(BytesIO(answer.read())), np.int16)
    expected = Translator(*checkpoints.load_generator(unet), "eval").image(label_map)
    assert found.shape == expected.shape == (80, 70, 3)
    assert expected.std() > 10
    assert np.abs(found - expected).max() <= 2
    for upload in (b"", b"no image", png.getvalue()[:200]):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(server, upload)
        assert refused.value.code == 400
        assert re.fullmatch(r"expected an image, found \w+\n", refused.value.read().decode())


def test_the_server_is_as_short_as_it_says() -> None:
    source = SERVER.read_text().split('"""', 2)[2]
    source = re.sub(r'""".*?"""', "", source)
    lines = [line for line in source.splitlines() if line.strip()]
    assert len([line for line in lines if not re.match("import |from ", line)]) <= 20
