"""StarGAN v2: numerics against PyTorch, the published sizes, which loss teaches whom."""

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
from pix2pix_ms.family.stargan.generator import (
    AdaIN,
    ResidualBlock,
    StyledGenerator,
    doubled,
    halved,
)
from pix2pix_ms.family.stargan.networks import MappingNetwork, MultiTaskDiscriminator, StyleEncoder
from pix2pix_ms.family.stargan.step import (
    Losses,
    Objective,
    StarGAN,
    discriminator_loss,
    r1_penalty,
)
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
from tests.gradients import taught

NAMES = ("brick", "night", "stucco")
SMALL: dict[str, Any] = {
    "size": 16, "jitter_size": 16, "ngf": 4, "max_filters": 8, "style_dim": 4, "mapping_dim": 8,
    "domains": NAMES, "jit": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def config() -> StarGANConfig:
    small: StarGANConfig = preset("quick", "stargan", **SMALL)
    return small


@pytest.fixture
def torch() -> ModuleType:
    return pytest.importorskip("torch")


def images(seed: int, count: int = 3, size: int = 16) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (count, 3, size, size)).astype(np.float32)


def batch(seed: int = 0) -> tuple[np.ndarray, ...]:
    origin, target = np.array([0, 1, 2]), np.array([1, 1, 0])
    return images(seed), origin, images(seed + 1), images(seed + 2), target


# ---- facades in looks


@pytest.mark.parametrize("size", [32, 64, 128])
def test_a_styled_facade_is_the_building_in_another_look(size: int) -> None:
    """Night is dark, brick red, stucco pale; the same seed gives the same bytes."""
    looks = {name: styled(4, size, name) for name in DOMAINS}
    assert all(look.shape == (size, size, 3) and look.dtype == np.uint8 for look in looks.values())
    red = {n: float((look[..., 0].astype(int) - look[..., 1]).mean()) for n, look in looks.items()}
    assert looks["night"].mean() < 80 < looks["brick"].mean() < looks["stucco"].mean()
    assert max(red["night"], red["stucco"]) < red["brick"]
    assert all((styled(4, size, name) == look).all() for name, look in looks.items())


def test_a_styled_facade_looks_alike_at_every_size() -> None:
    large, small = styled(3, 128, "brick"), styled(3, 32, "brick")
    averaged = large.reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    assert np.abs(averaged - small).mean() < 16  # grain and thin parts differ


def test_buildings_of_a_domain_differ_in_hue_and_light() -> None:
    means = np.array([styled(seed, 32, "brick").mean((0, 1)) for seed in range(8)])
    assert means.std(0).min() > 3


@pytest.mark.parametrize(
    ("arguments", "subject"),
    [((0, 32, "snow"), "'snow'"), ((-1, 32, "brick"), "-1"), ((0, 48, "brick"), "48")],
)
def test_unknown_domain_is_rejected(arguments: tuple[int, int, str], subject: str) -> None:
    with pytest.raises(ValueError, match=subject):
        styled(*arguments)


def test_looks_leave_facades_as_they_were() -> None:
    before = facade(7, 32).photo.tobytes()
    styled(7, 32, "night")
    assert facade(7, 32).photo.tobytes() == before


# ---- numerics against PyTorch


def test_adain_is_instance_norm_scaled_and_shifted_by_the_style(torch: ModuleType) -> None:
    """Values, and gradients towards image and style."""
    cell, x, s, w = AdaIN(5, 6), images(0, 2, 8), images(1, 2, 8), images(2, 2, 8)
    x, w = np.concatenate([x, 2 * x + 1], 1), np.concatenate([w, w * w], 1)
    style = s.reshape(2, -1)[:, :5].copy()

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


def test_halving_averages_and_doubling_repeats(torch: ModuleType) -> None:
    x = images(0)
    pooled = torch.nn.functional.avg_pool2d(torch.tensor(x), 2).numpy()
    assert np.allclose(halved(Tensor(x)).asnumpy(), pooled, atol=1e-6)
    assert np.array_equal(doubled(Tensor(x)).asnumpy(), x.repeat(2, 2).repeat(2, 3))


def test_r1_and_its_gradient_are_those_of_float64(torch: ModuleType, config: StarGANConfig) -> None:
    """The penalty is a derivative of D, and D's gradient a derivative of that."""
    network = MultiTaskDiscriminator(config)
    initialise(network, config)
    x, domain = images(3), np.array([0, 2, 1])

    def penalty_of(images: Tensor, domain: Tensor) -> Tensor:
        return r1_penalty(network, images, domain)

    step = ms.jit(ms.value_and_grad(penalty_of, None, network.trainable_params()))
    value, gradients = step(Tensor(x), one_hot(domain, config))

    theirs = discriminator(torch, 4, 8, len(NAMES), 16).double()
    copy_into(torch, theirs, network)
    tx = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    verdicts = theirs(tx).reshape(3, -1)[range(3), domain]
    (slope,) = torch.autograd.grad(verdicts.sum(), tx, create_graph=True)
    penalty = 0.5 * slope.pow(2).sum((1, 2, 3)).mean()
    penalty.backward()
    assert float(value) == pytest.approx(float(penalty.detach()), rel=1e-4)
    for found, parameter in zip(gradients, theirs.parameters(), strict=True):
        wanted = np.zeros(found.shape) if parameter.grad is None else parameter.grad.numpy()
        assert np.abs(found.asnumpy() - wanted).max() <= 1e-7 + 1e-4 * np.abs(wanted).max()


# ---- the published architecture, rebuilt in PyTorch


def block(torch: ModuleType, a: int, b: int, normalise: bool = False, halve: bool = False) -> Any:
    """A residual block as published: its layers, in the order in which ours have them."""
    n = torch.nn

    class Block(n.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            if normalise:
                self.norm1 = n.InstanceNorm2d(a, affine=True)
                self.norm2 = n.InstanceNorm2d(a, affine=True)
            self.conv1, self.conv2 = n.Conv2d(a, a, 3, 1, 1), n.Conv2d(a, b, 3, 1, 1)
            if a != b:
                self.shortcut = n.Conv2d(a, b, 1, bias=False)

        def forward(self, x: Any) -> Any:
            def pool(t: Any) -> Any:
                return n.functional.avg_pool2d(t, 2) if halve else t

            def norm(number: int, t: Any) -> Any:
                t = getattr(self, f"norm{number}")(t) if normalise else t
                return n.functional.leaky_relu(t, 0.2)

            h = self.conv2(norm(2, pool(self.conv1(norm(1, x)))))
            side = pool(self.shortcut(x) if a != b else x)
            return (side + h) / 2**0.5

    return Block()


def trunk(torch: ModuleType, wide: int, most: int, size: int) -> tuple[list[Any], int]:
    """First convolution, halving blocks down to 4x4, and the 4x4 convolution."""
    n, layers, side = torch.nn, [torch.nn.Conv2d(3, wide, 3, 1, 1)], size
    while side > 4:
        layers.append(block(torch, wide, min(2 * wide, most), halve=True))
        wide, side = min(2 * wide, most), side // 2
    return [*layers, n.LeakyReLU(0.2), n.Conv2d(wide, wide, 4), n.LeakyReLU(0.2)], wide


def discriminator(torch: ModuleType, wide: int, most: int, domains: int, size: int) -> Any:
    layers, width = trunk(torch, wide, most, size)
    return torch.nn.Sequential(*layers, torch.nn.Conv2d(width, domains, 1))


def encoder(torch: ModuleType, wide: int, most: int, domains: int, size: int, style: int) -> Any:
    layers, width = trunk(torch, wide, most, size)
    heads = [torch.nn.Linear(width, style) for _ in range(domains)]
    return torch.nn.ModuleList([*layers, *heads])


def mapping(torch: ModuleType, domains: int, style: int) -> Any:
    def dense(before: int, layers: int) -> list[Any]:
        sizes = [before, *[512] * (layers - 1)]
        return [torch.nn.Linear(size, 512) for size in sizes]

    heads = [[*dense(512, 3), torch.nn.Linear(512, style)] for _ in range(domains)]
    return torch.nn.ModuleList([*dense(16, 4), *(layer for each in heads for layer in each)])


def generator(torch: ModuleType, wide: int, most: int, style: int, size: int) -> Any:
    n, steps, first = torch.nn, [], wide
    while size > 16:
        steps.append((wide, min(2 * wide, most)))
        wide, size = steps[-1][1], size // 2

    def styled_block(a: int, b: int) -> list[Any]:
        affine = [n.Linear(style, 2 * a), n.Linear(style, 2 * b)]
        convolutions = [n.Conv2d(a, b, 3, 1, 1), n.Conv2d(b, b, 3, 1, 1)]
        return affine + convolutions + [n.Conv2d(a, b, 1, bias=False)] * (a != b)

    down = [block(torch, a, b, True) for a, b in steps]
    middle = [block(torch, wide, wide, True) for _ in range(2)]
    up = [styled_block(wide, wide), styled_block(wide, wide)]
    up += [styled_block(b, a) for a, b in reversed(steps)]
    ends = [
        n.Conv2d(3, first, 3, 1, 1),
        n.InstanceNorm2d(first, affine=True),
        n.Conv2d(first, 3, 1),
    ]
    return n.ModuleList([*ends, *down, *middle, *(layer for each in up for layer in each)])


def copy_into(torch: ModuleType, theirs: Any, ours: nn.Cell) -> None:
    """Give a PyTorch network the weights of ours, which come in the same order."""
    for to, parameter in zip(theirs.parameters(), ours.trainable_params(), strict=True):
        to.data = torch.tensor(parameter.asnumpy(), dtype=to.dtype).reshape(to.shape)


def test_parameter_counts_are_the_published_ones(torch: ModuleType) -> None:
    """At 256x256 with two domains: rebuilt, and as the authors' code prints them."""
    paper: StarGANConfig = preset("paper", "stargan", domains=("cat", "dog"))
    with torch.device("meta"):
        rebuilt = {
            StyledGenerator: generator(torch, 64, 512, 64, 256),
            MappingNetwork: mapping(torch, 2, 64),
            StyleEncoder: encoder(torch, 64, 512, 2, 256, 64),
            MultiTaskDiscriminator: discriminator(torch, 64, 512, 2, 256),
        }
    printed = {"generator": 33.9, "mapping": 2.44, "encoder": 20.9, "discriminator": 20.85}
    for (kind, theirs), millions in zip(rebuilt.items(), printed.values(), strict=True):
        found = parameter_count(kind(paper))
        assert found == sum(p.numel() for p in theirs.parameters()), kind.__name__
        assert found / 1e6 == pytest.approx(millions, abs=0.06), kind.__name__


# ---- networks and losses


def test_shapes(config: StarGANConfig) -> None:
    x, domain = Tensor(images(0)), one_hot(np.array([0, 1, 2]), config)
    z = Tensor(np.zeros((3, config.latent_dim), np.float32))
    style = MappingNetwork(config)(z, domain)
    assert style.shape == StyleEncoder(config)(x, domain).shape == (3, config.style_dim)
    assert StyledGenerator(config)(x, style).shape == x.shape
    assert MultiTaskDiscriminator(config)(x, domain).shape == (3,)
    assert ResidualBlock(3, 5, halve=True)(x).shape == (3, 5, 8, 8)


@pytest.mark.parametrize("network", [StyleEncoder, MultiTaskDiscriminator])
def test_the_head_of_its_domain_decides_about_an_image(
    network: Callable[[StarGANConfig], nn.Cell], config: StarGANConfig
) -> None:
    """Changing one domain's head changes that domain's outputs alone."""
    cell, x = network(config), Tensor(images(0))
    domain = one_hot(np.array([0, 1, 1]), config)
    before = cell(x, domain).asnumpy()
    if network is StyleEncoder:
        bias, more = cell.heads[1].bias, np.ones(1, np.float32)
    else:
        bias, more = cell.heads.bias, np.array([0, 1, 0], np.float32)
    bias.set_data(Tensor(bias.asnumpy() + more))
    moved = np.abs(cell(x, domain).asnumpy() - before).reshape(3, -1).max(1)
    assert moved[0] == 0
    assert np.allclose(moved[1:], 1, atol=1e-5)


def test_each_loss_teaches_the_networks_it_should(config: StarGANConfig) -> None:
    """Equations 1 to 4; D's loss D alone, the diversity loss neither E nor D."""
    model = StarGAN(config)
    weights = [p for network in model.networks() for p in network.trainable_params()]
    x, origin, reference, _, target = batch()
    known = Tensor(x), one_hot(origin, config), one_hot(target, config)
    loss_d = discriminator_loss(model.discriminator, config.lambda_r1)
    loss_g = Objective(model.generator, model.encoder, model.discriminator, config)
    latents = model.latents(3)

    def term(number: int) -> Tensor:
        styles = [model.mapping(z, known[2]) for z in latents]
        return loss_g(*known, *styles, Tensor(1.0))[number]

    judged = taught(lambda: loss_d(*known[:2], Tensor(reference), known[2])[0], weights)
    assert judged == {"discriminator"}
    for number, networks in enumerate((
        {"generator", "mapping", "discriminator"},
        {"generator", "mapping", "encoder"},
        {"generator", "mapping"},
        {"generator", "mapping", "encoder"},
    ), 1):  # fmt: skip
        assert taught(lambda number=number: term(number), weights) == networks


def test_only_g_learns_from_references_and_all_but_d_from_latents(config: StarGANConfig) -> None:
    model = StarGAN(config)
    x, origin, one, other, target = batch()
    known = Tensor(x), one_hot(origin, config), one_hot(target, config)
    styles = [model.encoder(Tensor(image), known[2]) for image in (one, other)]

    def changed(update: Callable[..., Any], *inputs: Any) -> set[str]:
        before = {n: p.asnumpy().copy() for n, p in model.parameters().items()}
        update(*inputs)
        names = {n for n, p in model.parameters().items() if (p.asnumpy() != before[n]).any()}
        return {name.split(".")[0] for name in names if not name.startswith("optim")}

    weight = Tensor(1.0)
    assert changed(model.update_with_references, *known, *styles, weight) == {"generator"}
    learners = changed(model.update_with_latents, *known, *model.latents(3), weight)
    assert learners == {"generator", "mapping", "encoder"}
    assert changed(model.update_d, *known[:2], Tensor(one), known[2]) == {"discriminator"}


# ---- the step


def test_losses_fall(config: StarGANConfig) -> None:
    """On one batch seen again and again: the images come back nearer, styles are recognised."""
    model = StarGAN(replace(config, learning_rate=2e-3, lambda_diversity=0.0))
    found = [model.train_step(*batch()) for _ in range(15)]
    assert all(np.isfinite(losses).all() for losses in found)
    assert np.mean([f.cycle for f in found[-5:]]) < 0.9 * np.mean([f.cycle for f in found[:3]])
    assert np.mean([f.d_latent for f in found[-5:]]) < np.mean([f.d_latent for f in found[:3]])


def test_averages_follow_the_weights(config: StarGANConfig) -> None:
    model = StarGAN(config)
    name = "generator.first.weight"
    start = model.parameters()[name].asnumpy().copy()
    assert np.array_equal(model.parameters()["average.first.weight"].asnumpy(), start)
    model.train_step(*batch())
    now = model.parameters()[name].asnumpy()
    wanted = config.ema * start + (1 - config.ema) * now
    assert not np.array_equal(start, now)
    assert np.allclose(model.parameters()["average.first.weight"].asnumpy(), wanted, atol=1e-6)


def test_the_step_is_that_of_equation_5(config: StarGANConfig) -> None:
    """The sum is what its terms and weights make it."""
    model = StarGAN(replace(config, lambda_style=2.0, lambda_cycle=3.0))
    x, origin, one, other, target = batch()
    loss_g = Objective(model.generator, model.encoder, model.discriminator, model.config)
    towards = one_hot(target, config)
    first, second = (model.encoder(Tensor(image), towards) for image in (one, other))
    terms = loss_g(Tensor(x), one_hot(origin, config), towards, first, second, Tensor(0.5))
    total, adversarial, style, diversity, cycle = map(float, terms)
    assert total == pytest.approx(adversarial + 2 * style - 0.5 * diversity + 3 * cycle, rel=1e-5)


def test_the_mapping_network_learns_slowly_and_diversity_weighs_less_and_less() -> None:
    paper: StarGANConfig = preset("paper", "stargan", epochs=10)
    assert [paper.diversity_at(epoch) for epoch in (1, 6, 10)] == pytest.approx([1.0, 0.5, 0.1])
    assert paper.learning_rate_at(10) == paper.learning_rate
    longer = replace(paper, epochs=20)
    assert longer.changed_since(paper, 6) == ["the diversity loss's weight goes on at 0.75"]
    model = StarGAN(preset("quick", "stargan", **SMALL))
    slow, usual = (float(o.learning_rate.asnumpy()) for o in (model.optim_f, model.optim_g))
    assert slow == pytest.approx(0.1 * usual)


def test_losses_have_the_names_of_the_log() -> None:
    assert Losses._fields[:3] == ("d_latent", "d_reference", "r1")


# ---- translating


def test_shipped_averages_translate_as_those_of_the_run(
    config: StarGANConfig, tmp_path: Path
) -> None:
    """Half precision is a little different; a picture keeps its size; references are followed."""
    model = StarGAN(config)
    model.train_step(*batch())
    run = tmp_path / "run" / "checkpoints" / "last.ckpt"
    run.parent.mkdir(parents=True)
    checkpoints.save(model.kept(), run, config)
    export(run, tmp_path / "shipped" / "averages.safetensors")
    averages, x = load_averages(tmp_path / "shipped"), images(0)
    style = averages.style_of(x, np.array([0, 1, 2]))
    assert np.allclose(style, model.averages.style_of(x, np.array([0, 1, 2])), atol=0.02)
    assert averages.generate(x, style).shape == x.shape

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


def test_unknown_domains_missing_weights_and_odd_sizes_are_refused(config: StarGANConfig) -> None:
    with pytest.raises(Pix2PixError, match="^domain: .*brick, night, stucco"):
        StyleTranslator(Averages(config), "snow")
    with pytest.raises(Pix2PixError, match="^domains: "):
        StarGAN(replace(config, domains=()))
    with pytest.raises(Pix2PixError, match="average.first.weight"):
        averages_of({}, config, Path("here"))
    with pytest.raises(Pix2PixError, match="^size.* 48"):
        preset("quick", "stargan", size=48, jitter_size=48)
