"""StarGAN v2: numerics against PyTorch, the published sizes, which loss trains which network."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from pix2pix_ms.config.family import StarGANConfig
from pix2pix_ms.config.models import preset
from pix2pix_ms.data.facades import DOMAINS, facade, styled
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.exchange.export import export
from pix2pix_ms.family.stargan.generator import AdaIN, StyledGenerator, doubled
from pix2pix_ms.family.stargan.networks import MappingNetwork, MultiTaskDiscriminator, StyleEncoder
from pix2pix_ms.family.stargan.step import StarGAN, generator_loss, r1_penalty
from pix2pix_ms.family.stargan.translate import (
    Averages,
    StyleTranslator,
    averages_of,
    load_averages,
    one_hot,
)
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.nets.unet import parameter_count
from pix2pix_ms.training import checkpoints
from tests.runs import noise

NAMES = ("brick", "night", "stucco")
SMALL: dict[str, Any] = {
    "size": 16, "jitter_size": 16, "ngf": 4, "max_filters": 8, "style_dim": 4, "mapping_dim": 8,
    "domains": NAMES, "jit": False, "learning_rate": 6e-3, "lambda_diversity": 0.0,
    "lambda_cycle": 1.0, "bottleneck": 16, "ema": 0.99,
}  # fmt: skip
CONFIG: StarGANConfig = preset("quick", "stargan", **SMALL)


@pytest.fixture
def torch() -> ModuleType:
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def model() -> StarGAN:
    """One for many tests: D's update is compiled once."""
    return StarGAN(CONFIG)


def images(seed: int) -> np.ndarray:
    return noise(3, 3, 16, 16, seed=seed)


BATCH = images(0), np.array([0, 1, 2]), images(1), images(2), np.array([1, 1, 0])
X, ONE, OTHER = (Tensor(BATCH[place]) for place in (0, 2, 3))
ORIGIN, TARGET = (one_hot(BATCH[place], CONFIG) for place in (1, 4))


# ---- facades in looks


@pytest.mark.parametrize("size", [32, 128])
def test_a_styled_facade_is_the_building_in_another_look(size: int) -> None:
    """Night is dark, brick red, stucco pale; the same seed gives the same bytes."""
    before = facade(4, size).photo.tobytes()
    looks = {name: styled(4, size, name) for name in DOMAINS}
    assert all(look.shape == (size, size, 3) and look.dtype == np.uint8 for look in looks.values())
    red = {n: float((look[..., 0].astype(int) - look[..., 1]).mean()) for n, look in looks.items()}
    assert looks["night"].mean() < 80 < looks["brick"].mean() < looks["stucco"].mean()
    assert max(red["night"], red["stucco"]) < red["brick"]
    assert all((styled(4, size, name) == look).all() for name, look in looks.items())
    assert facade(4, size).photo.tobytes() == before
    averaged = looks["brick"].reshape(32, size // 32, 32, size // 32, 3).mean(axis=(1, 3))
    assert np.abs(averaged - styled(4, 32, "brick")).mean() < 16  # grain and thin parts differ
    means = np.array([styled(seed, 32, "brick").mean((0, 1)) for seed in range(8)])
    assert means.std(0).min() > 3, "hue and light differ by seed"


@pytest.mark.parametrize(
    ("arguments", "subject"),
    [((0, 32, "snow"), "'snow'"), ((-1, 32, "brick"), "-1"), ((0, 48, "brick"), "48")],
)
def test_unknown_domain_is_rejected(arguments: tuple[int, int, str], subject: str) -> None:
    with pytest.raises(ValueError, match=subject):
        styled(*arguments)


# ---- numerics against PyTorch


def test_adain_is_instance_norm_scaled_and_shifted_by_the_style(torch: ModuleType) -> None:
    """Values, and gradients with respect to image and style."""
    cell, style = AdaIN(5, 6), noise(2, 5, seed=1)
    x, w = 2 * noise(2, 2, 6, 8, 8) + 1

    def loss(x: Tensor, s: Tensor) -> Tensor:
        return (cell(x, s) * Tensor(w)).sum()

    found, gradients = ms.value_and_grad(loss, (0, 1))(Tensor(x), Tensor(style))
    tx, ts = (torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (x, style))
    weight, bias = (torch.tensor(p.asnumpy()).double() for p in cell.affine.get_parameters())
    h = ts @ weight.T + bias
    normal = torch.nn.functional.instance_norm(tx, eps=1e-5)
    value = ((1 + h[:, :6, None, None]) * normal + h[:, 6:, None, None]) * torch.tensor(w)
    value.sum().backward()
    assert float(found) == pytest.approx(float(value.detach().sum()), rel=1e-3)
    for ours, theirs in zip(gradients, (tx.grad, ts.grad), strict=True):
        assert np.allclose(ours.asnumpy(), theirs.numpy(), atol=2e-4 * float(theirs.abs().max()))


def block(torch: ModuleType, a: int, b: int) -> Any:
    """A halving residual block as published: its layers, in the order in which ours have them."""
    n, pool = torch.nn, torch.nn.functional.avg_pool2d

    class Block(n.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = n.Conv2d(a, a, 3, 1, 1), n.Conv2d(a, b, 3, 1, 1)
            self.shortcut = n.Conv2d(a, b, 1, bias=False) if a != b else n.Identity()

        def forward(self, x: Any) -> Any:
            h = pool(self.conv1(n.functional.leaky_relu(x, 0.2)), 2)
            h = self.conv2(n.functional.leaky_relu(h, 0.2))
            return (pool(self.shortcut(x), 2) + h) / 2**0.5

    return Block()


def test_r1_and_its_gradient_are_those_of_float64(torch: ModuleType) -> None:
    """The penalty is a derivative of D, and D's gradient a derivative of that."""
    network = MultiTaskDiscriminator(CONFIG)
    initialise(network, CONFIG)

    def penalty_of(images: Tensor, domain: Tensor) -> Tensor:
        return r1_penalty(network, images, domain)

    step = ms.jit(ms.value_and_grad(penalty_of, None, network.trainable_params()))
    value, gradients = step(X, ORIGIN)

    n = torch.nn
    theirs = n.Sequential(
        n.Conv2d(3, 4, 3, 1, 1), block(torch, 4, 8), block(torch, 8, 8), n.LeakyReLU(0.2),
        n.Conv2d(8, 8, 4), n.LeakyReLU(0.2), n.Conv2d(8, len(NAMES), 1),
    ).double()  # fmt: skip
    for to, ours in zip(theirs.parameters(), network.trainable_params(), strict=True):
        to.data = torch.tensor(ours.asnumpy(), dtype=to.dtype).reshape(to.shape)
    tx = torch.tensor(BATCH[0], dtype=torch.float64, requires_grad=True)
    verdicts = theirs(tx).reshape(3, -1)[range(3), BATCH[1]]
    (slope,) = torch.autograd.grad(verdicts.sum(), tx, create_graph=True)
    penalty = 0.5 * slope.pow(2).sum((1, 2, 3)).mean()
    penalty.backward()
    assert float(value) == pytest.approx(float(penalty.detach()), rel=1e-4)
    for found, parameter in zip(gradients, theirs.parameters(), strict=True):
        wanted = np.zeros(found.shape) if parameter.grad is None else parameter.grad.numpy()
        assert np.abs(found.asnumpy() - wanted).max() <= 1e-7 + 1e-4 * np.abs(wanted).max()


# ---- networks and losses


def test_parameter_counts_are_the_published_ones() -> None:
    """At 256x256 with two domains, as PyTorch counts the authors': 33.9, 2.4, 20.9, 20.9 M."""
    paper = preset("paper", "stargan", domains=("cat", "dog"))
    networks = (StyledGenerator, MappingNetwork, StyleEncoder, MultiTaskDiscriminator)
    counts = [parameter_count(network(paper)) for network in networks]
    assert counts == [33_892_995, 2_438_272, 20_916_928, 20_852_290]


def test_shapes(model: StarGAN) -> None:
    style = model.mapping(Tensor(np.zeros((3, CONFIG.latent_dim), np.float32)), ORIGIN)
    assert style.shape == model.encoder(X, ORIGIN).shape == (3, CONFIG.style_dim)
    assert model.generator(X, style).shape == X.shape
    assert model.discriminator(X, ORIGIN).shape == (3,)
    assert np.array_equal(doubled(X).asnumpy(), BATCH[0].repeat(2, 2).repeat(2, 3))


@pytest.mark.parametrize("network", [StyleEncoder, MultiTaskDiscriminator])
def test_the_head_of_its_domain_decides_about_an_image(
    network: Callable[[StarGANConfig], nn.Cell],
) -> None:
    """Changing one domain's head changes that domain's outputs alone."""
    cell, domain = network(CONFIG), one_hot([0, 1, 1], CONFIG)
    before = cell(X, domain).asnumpy()
    if network is StyleEncoder:
        bias, more = cell.heads[1].bias, np.ones(1, np.float32)
    else:
        bias, more = cell.heads.bias, np.array([0, 1, 0], np.float32)
    bias.set_data(Tensor(bias.asnumpy() + more))
    moved = np.abs(cell(X, domain).asnumpy() - before).reshape(3, -1).max(1)
    assert moved[0] == 0
    assert np.allclose(moved[1:], 1, atol=1e-5)


def test_the_objective_is_the_papers(model: StarGAN) -> None:
    """Equations 1 to 5, term by term."""
    config = replace(CONFIG, lambda_style=2.0, lambda_cycle=3.0)
    g, e, d = model.generator, model.encoder, model.discriminator
    one, other = (model.mapping(z, TARGET) for z in model.latents(3)[:2])
    fake = g(X, one)
    adversarial = np.logaddexp(0, -d(fake, TARGET).asnumpy()).mean()
    style = np.abs((e(fake, TARGET) - one).asnumpy()).mean()
    diversity = np.abs((fake - g(X, other)).asnumpy()).mean()
    cycle = np.abs((g(fake, e(X, ORIGIN)) - X).asnumpy()).mean()
    total = adversarial + 2 * style - 0.5 * diversity + 3 * cycle
    found = generator_loss(g, e, d, config)(X, ORIGIN, TARGET, one, other, Tensor(0.5))
    wanted = (total, adversarial, style, diversity, cycle)
    np.testing.assert_allclose([float(term) for term in found], wanted, rtol=1e-4)


# ---- the step


def test_only_g_learns_from_references_and_all_but_d_from_latents(model: StarGAN) -> None:
    styles = [model.encoder(image, TARGET) for image in (ONE, OTHER)]

    def changed(update: Callable[..., Any], *inputs: Any) -> set[str]:
        before = {n: p.asnumpy().copy() for n, p in model.parameters().items()}
        update(*inputs)
        names = {n for n, p in model.parameters().items() if (p.asnumpy() != before[n]).any()}
        return {name.split(".")[0] for name in names if not name.startswith("optim")}

    known, weight = (X, ORIGIN, TARGET), Tensor(1.0)
    assert changed(model.update_with_references, *known, *styles, weight) == {"generator"}
    learners = changed(model.update_with_latents, *known, *model.latents(3), weight)
    assert learners == {"generator", "mapping", "encoder"}
    assert changed(model.update_d, X, ORIGIN, ONE, TARGET) == {"discriminator"}


def test_losses_fall_and_averages_follow(model: StarGAN) -> None:
    """On one batch seen again and again: images come back nearer, D judges better."""
    weight, average = (model.parameters()[f"{n}.first.weight"] for n in ("generator", "average"))
    start = average.asnumpy().copy()
    first = model.train_step(*BATCH)
    now = weight.asnumpy()
    assert not np.array_equal(start, now)
    wanted = CONFIG.ema * start + (1 - CONFIG.ema) * now
    assert np.allclose(average.asnumpy(), wanted, atol=1e-6)

    *_, last = (model.train_step(*BATCH) for _ in range(4))
    assert np.isfinite(last).all()
    assert last.cycle < 0.95 * first.cycle
    assert last.d_latent < 0.9 * first.d_latent


def test_the_mapping_network_learns_slowly_and_diversity_weighs_less_and_less(
    model: StarGAN,
) -> None:
    paper: StarGANConfig = preset("paper", "stargan", epochs=10)
    assert [paper.diversity_at(epoch) for epoch in (1, 6, 10)] == pytest.approx([1.0, 0.5, 0.1])
    assert paper.learning_rate_at(10) == paper.learning_rate
    longer = replace(paper, epochs=20)
    assert longer.changed_since(paper, 6) == ["the diversity loss's weight goes on at 0.75"]
    slow, usual = (float(o.learning_rate.asnumpy()) for o in (model.optim_f, model.optim_g))
    assert slow == pytest.approx(0.1 * usual)


# ---- translating


def test_exported_averages_translate_as_those_of_the_run(model: StarGAN, tmp_path: Path) -> None:
    """Half precision is a little different; a picture keeps its size; references are followed."""
    run = tmp_path / "run" / "checkpoints" / "last.ckpt"
    run.parent.mkdir(parents=True)
    checkpoints.save(model.inference_parameters().values(), run, CONFIG)
    export(run, tmp_path / "shipped" / "averages.safetensors")
    averages = load_averages(tmp_path / "shipped")
    style = averages.style_of(BATCH[0], [0, 1, 2])
    assert np.allclose(style, model.averages.style_of(BATCH[0], [0, 1, 2]), atol=0.02)
    assert averages.generate(BATCH[0], style).shape == X.shape

    whole = load_averages(run)
    picture = styled(0, 32, "brick")[:30, :22]
    night = [StyleTranslator(whole, "night", None, seed).image(picture) for seed in (0, 0, 1)]
    assert night[0].shape == picture.shape
    assert np.array_equal(night[0], night[1])
    assert not np.array_equal(night[0], night[2])
    reference = StyleTranslator(whole, "night", styled(5, 32, "night"))
    assert not np.array_equal(reference.image(picture), night[0])
    each = StyleTranslator(whole, "night", None, "each")
    assert np.array_equal(each.image(picture, 1), each.image(picture, 1))
    assert not np.array_equal(each.image(picture, 0), each.image(picture, 1))


def test_unknown_domains_missing_weights_and_odd_sizes_are_refused() -> None:
    with pytest.raises(Pix2PixError, match="^domain: .*brick, night, stucco"):
        StyleTranslator(Averages(CONFIG), "snow")
    with pytest.raises(Pix2PixError, match="^domains: "):
        StarGAN(replace(CONFIG, domains=()))
    with pytest.raises(Pix2PixError, match="average.first.weight"):
        averages_of({}, CONFIG, Path("here"))
    with pytest.raises(Pix2PixError, match="^size.* 48"):
        preset("quick", "stargan", size=48, jitter_size=48)
