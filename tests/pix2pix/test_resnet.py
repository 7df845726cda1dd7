"""The ResNet generator against its reference, built of PyTorch's own layers."""

from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from pix2pix_ms.config.family import CycleGANConfig
from pix2pix_ms.machine.randomness import Stream
from pix2pix_ms.pix2pix.nets import resnet
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.nets.resnet import ResNet, ToImage
from pix2pix_ms.pix2pix.nets.unet import parameter_count
from tests.runs import noise

NARROW = {"size": 16, "jitter_size": 16, "ngf": 4, "n_blocks": 2}


def started(**changes: Any) -> ResNet:
    config = CycleGANConfig(**(NARROW | changes))
    network = ResNet(config)
    initialise(network, config)
    return network


@pytest.mark.parametrize(("blocks", "count"), [(9, 11_378_179), (6, 7_837_699)])
def test_parameter_counts_are_the_references(blocks: int, count: int) -> None:
    assert parameter_count(ResNet(CycleGANConfig(n_blocks=blocks))) == count


@pytest.mark.parametrize("shape", [(1, 3, 16, 16), (2, 3, 24, 12)])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_it_keeps_the_shape_and_the_range(shape: tuple[int, ...], norm: str) -> None:
    network = started(norm=norm)
    y = network(Tensor(noise(*shape))).asnumpy()
    assert y.shape == shape
    assert 0 < np.abs(y).max() < 1
    assert network.masks(shape, 0, Stream.DROPOUT, 1) == ()


def reference(ngf: int, n_blocks: int, channels: int = 3) -> Any:
    """The generator of Zhu et al. 2017 as its appendix spells it, with instance normalisation."""
    torch = pytest.importorskip("torch")
    tn = torch.nn

    def normed(conv: Any) -> list[Any]:
        return [conv, tn.InstanceNorm2d(conv.out_channels), tn.ReLU()]

    class Residual(tn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, width: int) -> None:
            super().__init__()
            pad, conv = tn.ReflectionPad2d(1), tn.Conv2d
            self.change = tn.Sequential(
                pad, *normed(conv(width, width, 3)), pad, *normed(conv(width, width, 3))[:2]
            )

        def forward(self, x: Any) -> Any:
            return x + self.change(x)

    return tn.Sequential(
        tn.ReflectionPad2d(3),
        *normed(tn.Conv2d(channels, ngf, 7)),
        *normed(tn.Conv2d(ngf, 2 * ngf, 3, 2, 1)),
        *normed(tn.Conv2d(2 * ngf, 4 * ngf, 3, 2, 1)),
        *[Residual(4 * ngf) for _ in range(n_blocks)],
        *normed(tn.ConvTranspose2d(4 * ngf, 2 * ngf, 3, 2, 1, output_padding=1)),
        *normed(tn.ConvTranspose2d(2 * ngf, ngf, 3, 2, 1, output_padding=1)),
        tn.ReflectionPad2d(3),
        tn.Conv2d(ngf, channels, 7),
        tn.Tanh(),
    )


def copied(network: ResNet, theirs: Any) -> None:
    """Give the reference the weights of a network; both list them from the input on."""
    torch = pytest.importorskip("torch")
    ours = network.trainable_params()
    wanted = list(theirs.parameters())
    assert [p.shape for p in ours] == [tuple(p.shape) for p in wanted]
    for seed, (mine, their) in enumerate(zip(ours, wanted, strict=True)):
        values = noise(*mine.shape, seed=seed) / 5
        mine.set_data(Tensor(values))
        their.data = torch.from_numpy(values)


@pytest.mark.parametrize("shape", [(1, 3, 16, 16), (2, 3, 24, 12)])
@pytest.mark.parametrize("on_cpu", [True, False])  # with what only pays there, and without
def test_outputs_and_gradients_are_pytorchs(
    shape: tuple[int, ...], on_cpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(resnet, "computes_on_cpu", lambda: on_cpu)
    network, theirs = started(), reference(NARROW["ngf"], NARROW["n_blocks"])
    copied(network, theirs)
    x, wanted = noise(2, *shape)

    def loss(x: Tensor) -> Tensor:
        return ((network(x) - Tensor(wanted)) ** 2).sum()

    gradients = ms.value_and_grad(loss, 0, network.trainable_params())

    @ms.jit
    def towards(x: Tensor) -> Any:
        return gradients(x)

    _, (towards_x, towards_weights) = towards(Tensor(x))
    seen = torch.from_numpy(x).requires_grad_()
    y = theirs(seen)
    ((y - torch.from_numpy(wanted)) ** 2).sum().backward()
    np.testing.assert_allclose(network(Tensor(x)).asnumpy(), y.detach().numpy(), atol=1e-4)
    np.testing.assert_allclose(towards_x.asnumpy(), seen.grad.numpy(), rtol=1e-3, atol=1e-2)
    scale = max(float(their.grad.abs().max()) for their in theirs.parameters())
    for mine, their in zip(towards_weights, theirs.parameters(), strict=True):
        np.testing.assert_allclose(mine.asnumpy(), their.grad.numpy(), atol=1e-4 * scale)


def test_the_last_convolution_is_the_plain_one() -> None:
    last, x = ToImage(5, 3), Tensor(noise(2, 5, 14, 11))
    plain = nn.Conv2d.construct(last, x).asnumpy()
    np.testing.assert_allclose(last(x).asnumpy(), plain, atol=1e-5)


def test_reflection_repeats_what_is_inside_and_not_the_border() -> None:
    row = Tensor(np.arange(5, dtype=np.float32).reshape(1, 1, 1, 5).repeat(5, 2))
    padded = ResNet(CycleGANConfig(**NARROW)).pad(row).asnumpy()
    assert padded[0, 0, 0].tolist() == [3, 2, 1, 0, 1, 2, 3, 4, 3, 2, 1]
