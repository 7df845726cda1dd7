"""The PyTorch peer learns, is measured without learning, and leaves weights we read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.facades import facade
from pix2pix_ms.exchange.pytorch import convert
from pix2pix_ms.pix2pix.translate import Translator, to_network
from pix2pix_ms.training import checkpoints

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make torch)")


@pytest.fixture
def facades(tmp_path: Path) -> Path:
    for split, first in (("train", 0), ("val", 50)):
        (tmp_path / "facades" / split).mkdir(parents=True)
        for seed in range(first, first + 3):
            pair = facade(seed, 64)
            both = Image.fromarray(np.hstack([pair.photo, pair.label_map]))
            both.save(tmp_path / "facades" / split / f"{seed}.png")
    return tmp_path / "facades"


def test_it_trains_and_its_weights_are_read(facades: Path, tmp_path: Path, tiny: Config) -> None:
    from benchmarks import peer

    config = replace(tiny, direction="BtoA", epochs=2)
    peer.train(facades, tmp_path / "run", config, save_every=1)
    assert (tmp_path / "run/1_net_G.pth").exists()
    log = (tmp_path / "run/log.csv").read_text().splitlines()
    assert len(log) == 3 and log[0].split(",") == [*peer.LOG, *peer.HELD_OUT]
    assert all(np.isfinite(float(value)) for line in log[1:] for value in line.split(","))

    convert(tmp_path / "run/latest_net_G.pth", tmp_path / "run/g.ckpt", direction="BtoA")
    generator, found = checkpoints.load_generator(tmp_path / "run/g.ckpt")
    assert (found.ngf, found.size, found.direction) == (config.ngf, config.size, "BtoA")
    theirs = peer.generator(config)
    theirs.load_state_dict(torch.load(tmp_path / "run/latest_net_G.pth", weights_only=True))
    x = to_network(facade(1, 64).label_map, (64, 64))[None]
    wanted = theirs.eval()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(Translator(generator, found, "eval")(x), wanted, atol=1e-4)


def test_a_step_brings_it_nearer_and_being_measured_teaches_it_nothing(
    facades: Path, tiny: Config
) -> None:
    from benchmarks import peer

    torch.manual_seed(0)
    model = peer.Peer(replace(tiny, direction="BtoA", learning_rate=1e-3))
    before = {name: value.clone() for name, value in model.g.state_dict().items()}
    l1, psnr, ssim = model.held_out(peer.read_pairs(facades / "val"))
    assert 0 < l1 < 2 and psnr > 0 and -1 <= ssim <= 1
    after = model.g.state_dict()
    learned = [n for n in before if "num_batches" not in n and not before[n].equal(after[n])]
    assert learned == []

    (pair, *_) = peer.jittered(peer.read_pairs(facades / "train"), tiny)
    assert [image.shape for image in pair] == 2 * [(1, 3, 64, 64)]
    distances = [model.step(*pair)[2] for _ in range(20)]
    assert distances[-1] < 0.8 * distances[0]
