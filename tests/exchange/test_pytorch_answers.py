"""What notebook B says of PyTorch is what PyTorch says."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make torch` installs it")
nn = torch.nn
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "B_from_pytorch.ipynb"


def shares_kept() -> str:
    torch.manual_seed(0)
    return f"{(nn.Dropout(0.1)(torch.ones(1000, 100)) != 0).float().mean():.0%}"


def order(*, shuffle: bool) -> list[int]:
    return [int(n) for n in torch.utils.data.DataLoader(range(20), shuffle=shuffle)]


def repeats() -> bool:
    torch.manual_seed(0)
    return order(shuffle=True) == order(shuffle=True)


def filled(layer: Any) -> Any:
    """Return a layer with weights of one and no bias."""
    nn.init.ones_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def moving_mean() -> str:
    norm = nn.BatchNorm2d(1, momentum=0.1)
    norm(torch.ones(1, 1, 8, 8))
    return f"{norm.running_mean.item():.1f}"


def raises(task: Callable[[], Any]) -> str:
    try:
        task()
    except RuntimeError:
        return "an error"
    return "no error"


def with_buffer() -> Any:
    layer = nn.Linear(1, 1)
    layer.register_buffer("mask", torch.ones(1))
    return layer


def compiled() -> float:
    """Follow a global number as `torch.compile` does, with its default guards."""
    scope = {"factor": 2.0}
    exec("def times(x): return factor * x", scope)  # its own globals
    times = torch.compile(scope["times"], backend="eager")
    times(torch.ones(1))
    scope["factor"] = 3.0
    return float(times(torch.ones(1)))


def adams_step() -> str:
    weight = torch.zeros(1, requires_grad=True)
    weight.grad = torch.full((1,), 1e-8)
    torch.optim.Adam([weight], 1.0).step()
    return f"{weight.item():.2f}"


def two_squares() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x**2).backward()


ones = torch.ones(1, 1, 8, 8)
ANSWERS: dict[str, Callable[[], Any]] = {
    "1: Conv2d(1, 5, 3) on 8 x 8, side": lambda: nn.Conv2d(1, 5, 3)(ones).shape[-1],
    "2: its parameters": lambda: ", ".join(n for n, _ in nn.Conv2d(1, 5, 3).named_parameters()),
    "3: Dropout(0.1) keeps": shares_kept,
    "4: a new network is in training mode": lambda: nn.Conv2d(1, 5, 3).training,
    "5: a dataset is in order, by default": lambda: order(shuffle=False) == [*range(20)],
    "halved: the corner sums up so many": lambda: int(
        filled(nn.Conv2d(1, 1, 3, 2, 1))(ones)[0, 0, 0, 0]
    ),
    "output_padding=1: zeros in last row": lambda: int(
        (filled(nn.ConvTranspose2d(1, 1, 3, 2, 1, output_padding=1))(ones)[0, 0, -1] == 0).sum()
    ),
    "BatchNorm2d(1, momentum=0.1) saw 1": moving_mean,
    "LeakyReLU() of -1": lambda: f"{nn.LeakyReLU()(torch.tensor(-1.0)).item():.2f}",
    "saved": lambda: ", ".join(with_buffer().state_dict()),
    "loading the name w": lambda: raises(
        lambda: nn.Linear(1, 1).load_state_dict({"w": torch.ones(1, 1)})
    ),
    "compiled with 2; then factor = 3": compiled,
    "gradient of two squares, of 1 and 2": lambda: raises(two_squares),
    "Adam's first step, gradient 1e-8": adams_step,
    "seeded: two epochs, the same order": repeats,
    "likewise, by one iterator for both": repeats,
}


def test_pytorch_answers_as_notebook_b_says() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    printed = "".join(
        output.text
        for cell in cells
        if cell.cell_type == "code" and 'row("' in cell.source
        for output in cell.outputs
    )
    said = dict(re.findall(r"^(.{38})PyTorch: (.{20})MindSpore", printed, flags=re.M))
    said = {call.strip(): answer.strip() for call, answer in said.items()}
    assert said == {call: str(answer()) for call, answer in ANSWERS.items()}
