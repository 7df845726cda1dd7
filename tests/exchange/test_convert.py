"""Weights to PyTorch's pix2pix and back; some of the tests need PyTorch itself."""

import io
import os
import pickle
import struct
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor, nn

from pix2pix_ms.config.family import CycleGANConfig
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.config.settings import Direction
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.exchange import pytorch
from pix2pix_ms.exchange.export import export
from pix2pix_ms.family.cyclegan.step import generator as cyclegan_generator
from pix2pix_ms.machine import pytorch_file
from pix2pix_ms.pix2pix.measures.segmenter import Segmenter
from pix2pix_ms.pix2pix.nets.blocks import set_statistics
from pix2pix_ms.pix2pix.nets.patchgan import PatchGAN
from pix2pix_ms.pix2pix.nets.unet import UNet
from pix2pix_ms.pix2pix.step import generator_of
from pix2pix_ms.training import checkpoints
from tests.pix2pix.test_parity import NO_TORCH
from tests.runs import output, refusal, saved, weights

Arrays = dict[str, np.ndarray]
WAYS: tuple[Direction, ...] = ("AtoB", "BtoA")


def made(size: int, **settings: Any) -> Config:
    jitter_size = round(size * 286 / 256)
    return Config(size=size, jitter_size=jitter_size, **({"ngf": 4, "ndf": 4} | settings))


CASES = {
    "unet_256": made(256),
    "unet_128, instance norm": made(128, norm="instance", n_layers=2),
    "no norm, PixelGAN": made(32, norm="none", n_layers=0, ngf=2, ndf=6),
    "two levels, one layer": made(32, levels=2, n_layers=1),
    "PixelGAN, instance norm": made(8, norm="instance", n_layers=0),
    "PixelGAN, BtoA": made(16, n_layers=0, direction="BtoA", dropout=False),
    "four layers": made(64, n_layers=4, ngf=3),
    "unconditional": made(32, n_layers=2, conditional=False),
    "grey to RGBA": made(32, n_layers=1, input_channels=1, target_channels=4),
    "RGBA to grey, unconditional": made(
        32, n_layers=1, input_channels=4, target_channels=1, conditional=False
    ),
    "ResNet": made(32, generator="resnet", n_blocks=3, n_layers=1),
    "ResNet, no dropout": made(16, generator="resnet", n_blocks=1, dropout=False, n_layers=1),
    "ResNet, instance norm, no dropout": made(
        16, generator="resnet", n_blocks=1, norm="instance", dropout=False, n_layers=1, ngf=3
    ),
    "colorization": made(32, n_layers=1, input_channels=1, target_channels=2, colours="lab"),
}


def randomised(network: nn.Cell, seed: int) -> nn.Cell:
    """Fill a network with numbers of an ordinary size, and statistics unlike their start."""
    rng = np.random.default_rng(seed)
    for parameter in network.get_parameters():
        if parameter.requires_grad or "moving" in parameter.name:
            numbers = rng.normal(0, 0.1, parameter.shape)
            positive = parameter.name.endswith(("gamma", "moving_variance"))
            parameter.set_data(Tensor((numbers + 1 if positive else numbers).astype(np.float32)))
    return network


def states(config: Config) -> tuple[Arrays, Arrays]:
    """The state_dicts of a generator and a discriminator with random weights."""
    networks = randomised(generator_of(config), 1), randomised(PatchGAN(config), 2)
    generator, discriminator = (pytorch.state_dict(network, config) for network in networks)
    return generator, discriminator


def given(config: Config) -> dict[str, Any]:
    """What has to be said beside the weights."""
    said: dict[str, Any] = {"direction": config.direction}
    if config.generator == "unet":
        said["dropout"] = config.dropout
    sized = config.levels or config.generator == "resnet"
    return said | ({"size": config.size} if sized else {})


@pytest.fixture(scope="module")
def small() -> tuple[Arrays, Arrays]:
    return states(CASES["no norm, PixelGAN"])


@pytest.fixture
def file(tmp_path: Path, small: tuple[Arrays, Arrays]) -> Path:
    pytorch_file.write(small[0], tmp_path / "latest_net_G.pth")
    return tmp_path / "latest_net_G.pth"


def assert_equal(found: Arrays, wanted: Arrays) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, name)


@pytest.mark.parametrize("case", CASES)
def test_there_and_back(case: str, tmp_path: Path) -> None:
    config = CASES[case]
    g, d, both = tmp_path / "G.pth", tmp_path / "D.pth", tmp_path / "both.ckpt"
    written = dict(zip((g, d), states(config), strict=True))
    for path, state in written.items():
        pytorch_file.write(state, path)
    pytorch.convert(g, both, d, **given(config))
    assert checkpoints.load_generator(both)[1] == config
    pytorch.convert(both, tmp_path / "G2.pth", tmp_path / "D2.pth")
    assert_equal(pytorch_file.read(tmp_path / "G2.pth"), written[g])
    assert_equal(pytorch_file.read(tmp_path / "D2.pth"), written[d])


def test_the_names_are_the_references() -> None:
    """Three levels: the outermost block, one in the middle and the innermost."""
    generator, discriminator = states(made(8, norm="batch", n_layers=1))
    normed = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    inner, innermost = "model.model.1.model", "model.model.1.model.3.model"
    assert generator.keys() == {
        *("model.model.0.weight", "model.model.3.weight", "model.model.3.bias"),
        *(f"{inner}.1.weight", f"{inner}.5.weight"),
        *(f"{inner}.{place}.{leaf}" for place in (2, 6) for leaf in normed),
        *(f"{innermost}.1.weight", f"{innermost}.3.weight"),
        *(f"{innermost}.4.{leaf}" for leaf in normed),
    }
    assert discriminator.keys() == {
        *("model.0.weight", "model.0.bias", "model.2.weight", "model.5.weight", "model.5.bias"),
        *(f"model.3.{leaf}" for leaf in normed),
    }
    assert generator[f"{inner}.2.weight"].mean() > 0.5 > generator[f"{inner}.2.bias"].mean()
    statistics = [generator[f"{inner}.6.running_{leaf}"].mean() for leaf in ("var", "mean")]
    assert statistics[0] > 0.5 > statistics[1]


def test_a_generator_or_a_discriminator_alone(tmp_path: Path) -> None:
    given, between, back = (tmp_path / name for name in ("in.pth", "one.ckpt", "out.pth"))
    for state in states(CASES["four layers"]):
        pytorch_file.write(state, given)
        pytorch.convert(given, between, force=True)
        pytorch.convert(between, back, force=True)
        assert_equal(pytorch_file.read(back), state)
    assert {*tmp_path.iterdir()} == {given, between, back}


def older_layout(state: Arrays) -> bytes:
    """A state_dict as PyTorch before 1.6 saves it."""
    head = [pytorch_file.MAGIC, 1001, {"protocol_version": 1001, "little_endian": True}]
    keys = [str(key) for key in range(len(state))]
    storages = [struct.pack("<q", array.size) + array.tobytes() for array in state.values()]
    pickles = [pickle.dumps(part, 2) for part in head]
    return b"".join([*pickles, pytorch_file.pickled(state), pickle.dumps(keys, 2), *storages])


def test_the_older_layout(tmp_path: Path, small: tuple[Arrays, Arrays]) -> None:
    content = older_layout(small[0])
    for version in (content, content.replace(b"_rebuild_tensor_v2", b"_rebuild_tensor")):
        (tmp_path / "old.pth").write_bytes(version)
        assert_equal(pytorch_file.read(tmp_path / "old.pth"), small[0])


def test_names_as_data_parallel_and_older_releases_save_them(
    tmp_path: Path, file: Path, small: tuple[Arrays, Arrays]
) -> None:
    """With `module.` in front, without step counts, in half or double precision."""
    instance = CASES["unet_128, instance norm"]
    with_statistics = {"model.model.1.model.2.running_mean": np.zeros(8, np.float32)}
    batch = states(CASES["four layers"])[0]
    variants = {
        "module": {f"module.{name}": array for name, array in small[0].items()},
        "double": {name: array.astype(np.float64) for name, array in small[0].items()},
        "half": {name: array.astype(np.float16) for name, array in small[0].items()},
        "instance": states(instance)[0] | with_statistics,
        "uncounted": {n: a for n, a in batch.items() if not n.endswith("num_batches_tracked")},
    }
    for variant, state in variants.items():
        pytorch_file.write(state, tmp_path / "variant.pth")
        pytorch.convert(tmp_path / "variant.pth", tmp_path / f"{variant}.ckpt")
        assert checkpoints.load_generator(tmp_path / f"{variant}.ckpt")
    pytorch.convert(file, tmp_path / "plain.ckpt")
    plain, double = (checkpoints.load(tmp_path / f"{n}.ckpt")[0] for n in ("plain", "double"))
    assert all(np.array_equal(plain[n].asnumpy(), double[n].asnumpy()) for n in plain)


def test_a_view_of_a_storage(tmp_path: Path) -> None:
    """Offset and strides are honoured; what leaves its storage is refused."""
    numbers = np.arange(12, dtype=np.float32)

    def viewed(offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Arrays:
        whole = pytorch_file.spelled((0, (12,), (1,)))[1:-1]
        part = pytorch_file.spelled((offset, shape, strides))[1:-1]
        content = pytorch_file.pickled({"a": numbers}).replace(whole, part)
        with zipfile.ZipFile(tmp_path / "view.pth", "w") as archive:
            archive.writestr("x/data.pkl", content)
            archive.writestr("x/data/0", numbers.tobytes())
        return pytorch_file.read(tmp_path / "view.pth")

    np.testing.assert_array_equal(viewed(1, (2, 3), (1, 4))["a"], [[1, 5, 9], [2, 6, 10]])
    refused = [(1, (12,), (1,)), (0, (4, 4), (4, 1)), (12, (1,), (1,)), (0, (1000,), (0,))]
    for place in [*refused, (3, (2,), (-4,)), (-1, (2,), (1,))]:
        with pytest.raises(Pix2PixError, match="expected PyTorch weights, found a damaged file"):
            viewed(*place)


class Malicious:
    """Pickles to a call."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


def zipped(content: bytes, **options: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        archive.writestr("archive/data.pkl", content)
    return file.getvalue()


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_in_a_file_is_run(
    protocol: int, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    builtins = "builtins" if protocol > 2 else "__builtin__"  # as Python 2 called it
    calls = {
        f"{os.system.__module__}.system": Malicious(os.system, f"touch {tmp_path}/ran"),
        f"{builtins}.exec": Malicious(exec, f"open('{tmp_path}/ran', 'w')"),
        "collections.Counter": Malicious(Counter, "abc"),
        f"{pytorch_file.__name__}.write": Malicious(pytorch_file.write, {}, tmp_path / "ran"),
    }
    for wanted, call in calls.items():
        content = pickle.dumps(OrderedDict(weight=call), protocol)
        older = pickle.dumps(pytorch_file.MAGIC) + pickle.dumps(1001)
        system = pickle.dumps({"little_endian": True})
        places = [zipped(content), content, older + content, older + system + content]
        for layout, attack in enumerate(places):
            path = tmp_path / f"{layout}.pth"
            path.write_bytes(attack)
            line = refusal("convert", path, tmp_path / "out.ckpt", about=path)
            assert f"a pickle that wants '{wanted}'; nothing was run" in line
    assert {path.name for path in tmp_path.iterdir()} == {f"{n}.pth" for n in range(4)}
    assert capsys.readouterr().out == ""


def test_a_pickle_changes_nothing_it_may_name(tmp_path: Path) -> None:
    """BUILD sets attributes, on a class too: here it has nothing to hold on to."""
    name = pytorch_file.named("torch._utils", "_rebuild_tensor_v2")
    state = pytorch_file.spelled("array") + pytorch_file.spelled("changed")
    attributes = pickle.EMPTY_DICT + pickle.MARK + state + pickle.SETITEMS
    slots = pickle.MARK + pickle.NONE + attributes + pickle.TUPLE
    before = pytorch_file.View.array
    for thing in (name, pytorch_file.named("collections", "OrderedDict"), pytorch_file.EMPTY):
        for changes in (attributes, slots):
            content = pickle.PROTO + b"\x02" + thing + changes + pickle.BUILD + pickle.STOP
            (tmp_path / "build.pth").write_bytes(zipped(content))
            if thing is pytorch_file.EMPTY:
                assert pytorch_file.read(tmp_path / "build.pth") == {}
            else:
                with pytest.raises(Pix2PixError, match="found a damaged file"):
                    pytorch_file.read(tmp_path / "build.pth")
    assert pytorch_file.View.array is before
    assert not hasattr(pytorch_file.Entries, "array")


def test_files_that_are_not_weights_are_refused(
    tmp_path: Path, small: tuple[Arrays, Arrays]
) -> None:
    """Each for another reason; damage by chance is in faults/test_archives.py."""
    old, pickled = older_layout(small[0]), pytorch_file.pickled(small[0])
    lying = pickled.replace(b"FloatStorage", b"BoolStorage_")
    pytorch_file.write({"two\nlines": zeros(1)}, tmp_path / "names.pth")
    cases = {
        "empty": b"",
        "old and cut": old[: len(old) // 2],
        "cut in the pickle": old[:200],
        "no listing": zipped(b"").replace(b"data.pkl", b"data.txt"),
        "compressed": zipped(pytorch_file.pickled({}), compression=zipfile.ZIP_DEFLATED),
        "no storages": zipped(pickled),
        "another MAGIC": pickle.dumps(7) + old,
        "a list": zipped(pickle.dumps([1, 2])),
        "a training's state": zipped(pickle.dumps({"epoch": 3}, 2)),
        "another type": zipped(lying),
        "a huge memo": zipped(b"\x80\x02N" + pickle.LONG_BINPUT + b"\xff\xff\xff\x7f."),
        "two lines": zipped(pickle.dumps(Malicious(Counter)).replace(b"Counter", b"Coun\ner")),
        "names": (tmp_path / "names.pth").read_bytes(),
    }
    for name, content in cases.items():
        path = tmp_path / f"{name}.pth"
        path.write_bytes(content)
        refusal("convert", path, tmp_path / "out.ckpt", about=f"{path}: expected ")
    assert not (tmp_path / "out.ckpt").exists()


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def test_other_networks_are_named(tmp_path: Path, small: tuple[Arrays, Arrays]) -> None:
    generator, pixel = small
    first, last = "model.model.0.weight", "model.model.3.bias"
    cases = [
        ({"body.1.weight": zeros(64, 3, 7, 7)}, "found body.1.weight; other networks"),
        ({}, "found none at all"),
        (generator | {first: zeros(2, 5, 4, 4)}, "input_channels: expected at most 4, found 5"),
        ({n: a for n, a in generator.items() if n != last}, "found no such array"),
        (generator | {"attention.weight": zeros(3, 3)}, "attention.weight no such array, found"),
        (pixel | {"net.0.weight": zeros(6, 5, 1, 1)}, "net.0.weight [6, 6, 1, 1], found"),
    ]
    for state, subject in cases:
        pytorch_file.write(state, tmp_path / "other.pth")
        assert subject in refusal("convert", tmp_path / "other.pth", tmp_path / "out.ckpt")
    assert not (tmp_path / "out.ckpt").exists()


@pytest.mark.parametrize(
    ("words", "about"),
    [
        ("G.pth out.ckpt --discriminator D.pth", "D.pth: expected the generator and the discr"),
        ("G.pth out.ckpt --discriminator G.pth", "G.pth: expected the generator and the discr"),
        ("G.pth out.pth", "out.pth: expected a name ending in .ckpt or .safetensors, found .pth"),
        ("G.pth out", "out: expected a name ending in .ckpt or .safetensors, found no"),
        ("x.png out.ckpt", "x.png: expected a name ending in .pth or .pt or .ckpt"),
        ("out.ckpt b.ckpt", "b.ckpt: expected a name ending in .pth or .pt, found"),
        ("G.pth out.ckpt --discriminator D.ckpt", "D.ckpt: expected a name ending in .pth"),
        ("G.pth out.ckpt --size 48", "size: expected a multiple of 32 (32 or 64)"),
        ("out.ckpt b.pth --size 64", "size: expected only where .pth or .pt is read"),
        ("out.ckpt b.pth", "out.ckpt: expected a checkpoint, found none"),
        ("one.ckpt b.pth --discriminator new.pth", "one.ckpt: expected a generator and a discr"),
        ("one.ckpt b.pth --discriminator ./b.pth", "b.pth: expected a file for the generator and"),
        ("plain.ckpt b.pth", "plain.ckpt: expected a generator that the reference has, found an"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    words: str, about: str, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file.rename("G.pth")
    pytorch_file.write(states(CASES["four layers"])[1], Path("D.pth"))
    for name, config in (("one", made(16)), ("plain", made(16, skips=False))):
        saved(UNet(config), config, Path(f"{name}.ckpt"))
    before = sorted(tmp_path.iterdir())
    refusal("convert", *words.split(), about=about)
    assert sorted(tmp_path.iterdir()) == before


def test_an_exported_network_is_converted_and_a_segmenter_refused(tmp_path: Path) -> None:
    config = made(16)
    for network in (UNet(config), Segmenter(config)):
        saved(network, config, tmp_path / "x.ckpt")
        name = type(network).__name__.lower()
        export(tmp_path / "x.ckpt", tmp_path / name / f"{name}.safetensors")
    for source in (tmp_path / "unet", tmp_path / "unet" / "unet.safetensors"):
        pytorch.convert(source, tmp_path / "g.pth", force=True)
        pytorch.convert(tmp_path / "g.pth", tmp_path / "back.ckpt", force=True)
        assert weights(tmp_path / "back.ckpt") == weights(source)
    refusal("convert", tmp_path / "segmenter", tmp_path / "s.pth", about=tmp_path / "segmenter")


def test_cyclegans_generators_become_pytorchs_and_a_resnet_of_pix2pix(tmp_path: Path) -> None:
    small = {"size": 16, "jitter_size": 16, "ngf": 3, "ndf": 2, "n_blocks": 2}
    config = CycleGANConfig(**small)
    ways = {way: randomised(cyclegan_generator(config, way), way == "BtoA") for way in WAYS}
    both = [p for network in ways.values() for p in network.get_parameters()]
    checkpoints.save(both, tmp_path / "c.ckpt", config)
    x = np.random.default_rng(5).uniform(-1, 1, (1, 3, 16, 16)).astype(np.float32)
    for way, network in ways.items():
        g, ours = tmp_path / f"latest_net_G_{way}.pth", tmp_path / f"{way}.ckpt"
        said = output("convert", tmp_path / "c.ckpt", g, "--direction", way)
        assert said == f"{g}: generator {way}\n"
        output("convert", g, ours, "--size", 16, "--direction", way)
        again, found = checkpoints.load_generator(ours)
        known = (found.generator, found.n_blocks, found.norm, found.dropout, found.direction)
        assert known == ("resnet", 2, "instance", False, way)
        np.testing.assert_array_equal(again(Tensor(x)).asnumpy(), network(Tensor(x)).asnumpy())
    config = replace(config, upsampling="composed")
    saved(cyclegan_generator(config, "AtoB"), config, tmp_path / "composed.ckpt")
    refusal("convert", tmp_path / "composed.ckpt", tmp_path / "x.pth", about=tmp_path)
    refusal("convert", tmp_path / "c.ckpt", tmp_path / "x.pth", "--discriminator", "d.pth")


def test_pytorchs_weights_become_safetensors(file: Path, tmp_path: Path) -> None:
    """With the settings beside them; kernels rounded to half precision."""
    said = output("convert", file, tmp_path / "g" / "g.safetensors", "--size", 32)
    assert [line.split(":")[0] for line in said.splitlines()] == [
        str(tmp_path / "g" / name) for name in ("g.safetensors", "config.json")
    ]
    output("convert", file, tmp_path / "g.ckpt", "--size", 32)
    ours, there = (checkpoints.load_generator(tmp_path / name)[0] for name in ("g", "g.ckpt"))
    x = Tensor(np.full((1, 3, 32, 32), 0.5, np.float32))
    np.testing.assert_allclose(ours(x).asnumpy(), there(x).asnumpy(), atol=5e-3)
    refusal("convert", file, tmp_path / "g" / "g.safetensors", "--size", 32, about=tmp_path)


def test_the_command_converts_a_run_and_says_what_it_inferred(tmp_path: Path) -> None:
    config = made(64, ngf=4)
    last, g, ours = tmp_path / "run/checkpoints/last.ckpt", tmp_path / "G.pth", tmp_path / "o.ckpt"
    saved(UNet(config), config, last)
    assert output("convert", tmp_path / "run", g) == f"{g}: generator\n"
    said = output("convert", g, ours, "--size", 128, "--direction", "BtoA", "--no-dropout")
    known = "levels 6, ngf 4, norm batch, input_channels 3, target_channels 3, size 128, "
    assert said == f"{ours}: {known}direction BtoA, dropout False\n"
    config = checkpoints.load_generator(ours)[1]
    assert (config.levels, config.size, config.jitter) == (6, 128, 143)
    assert weights(ours) == weights(last, "generator")


# --- with PyTorch -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def networks() -> ModuleType:
    """The reference's networks, where there is PyTorch to build them."""
    pytest.importorskip("torch", reason=NO_TORCH)
    from benchmarks import reference_networks

    return reference_networks


def theirs(networks: ModuleType, config: Config) -> tuple[Any, Any]:
    """The reference's two networks with our random weights in them, loaded strictly."""
    import torch

    pair = networks.generator(config), networks.discriminator(config)
    for network, state in zip(pair, states(config), strict=True):
        network.load_state_dict({name: torch.from_numpy(state[name]) for name in state})
    return pair


def assert_same_outputs(g: Any, d: Any, path: Path) -> None:
    """Compare both networks of a checkpoint with the reference's, in both statistics."""
    import torch

    generator, config = checkpoints.load_generator(path)
    discriminator = PatchGAN(config)
    found = checkpoints.load(path)[0]
    checkpoints.fill(discriminator.parameters_dict(), found, path, (config, config))
    rng = np.random.default_rng(3)
    x, y = (
        rng.uniform(-1, 1, (1, channels, *config.shape)).astype(np.float32)
        for channels in (config.input_channels, config.target_channels)
    )
    judged = np.hstack([x, y]) if config.conditional else y
    # The batch's statistics last: PyTorch's move with them.
    for statistics, training in (("moving", False), ("batch", True)):
        for network in (generator, discriminator):
            network.set_train(False)
            set_statistics(network, statistics)
        with torch.no_grad():
            image = g.train(training)(torch.from_numpy(x)).numpy()
            verdict = d.train(training)(torch.from_numpy(judged)).numpy()
        np.testing.assert_allclose(generator(Tensor(x)).asnumpy(), image, atol=1e-4)
        np.testing.assert_allclose(
            discriminator(Tensor(x), Tensor(y)).asnumpy(), verdict, atol=1e-4
        )
        assert image.std() > 0.01


@pytest.mark.parametrize("case", CASES)
def test_pytorchs_files_there_and_back(case: str, networks: ModuleType, tmp_path: Path) -> None:
    """In both layouts they give its outputs, and it loads ours strictly."""
    import torch

    config, pair = CASES[case], theirs(networks, CASES[case])
    ours, paths = tmp_path / "ours.ckpt", (tmp_path / "net_G.pth", tmp_path / "net_D.pth")
    layouts = []
    for newer in (False, True):
        for network, path in zip(pair, paths, strict=True):
            torch.save(network.state_dict(), path, _use_new_zipfile_serialization=newer)
        pytorch.convert(paths[0], ours, paths[1], force=True, **given(config))
        layouts.append(weights(ours))
    assert layouts[0] == layouts[1]
    assert_same_outputs(*pair, ours)
    pytorch.convert(ours, tmp_path / "G.pth", tmp_path / "D.pth")
    again = networks.generator(config), networks.discriminator(config)
    for network, name in zip(again, "GD", strict=True):
        state = torch.load(tmp_path / f"{name}.pth", weights_only=True)
        network.load_state_dict(state, strict=True)
    assert_same_outputs(*again, ours)
