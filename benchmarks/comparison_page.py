"""The page COMPARISONS.md: every measure of every row, and whether the order is the paper's."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from pix2pix_ms.training.epochs import LOWER_IS_BETTER

Numbers = tuple[float, ...]  # per pixel, per class, class IoU; or the shares of L, a and b
Found = dict[str, Any]  # what `comparisons.measured` returns, by the row's name


class Published(NamedTuple):
    """Numbers of the paper that were taken in one experiment, and the pairs they decide.

    All are of Cityscapes: only their order can be compared. In a pair the better comes first.
    """

    where: str
    numbers: dict[str, Numbers]
    pairs: tuple[tuple[str, str], ...]


SEGMENTATION = (
    Published(
        "table 1",
        {
            "L1": (0.42, 0.15, 0.11),
            "cGAN": (0.57, 0.22, 0.16),
            "L1 + GAN": (0.64, 0.20, 0.15),
            "L1 + cGAN": (0.66, 0.23, 0.17),
        },
        (
            ("L1 + cGAN", "L1"),
            ("cGAN", "L1"),
            ("L1 + cGAN", "cGAN"),
            ("L1 + cGAN", "L1 + GAN"),
        ),
    ),
    Published(
        "table 2",
        {
            "encoder-decoder, L1": (0.35, 0.12, 0.08),
            "encoder-decoder, L1 + cGAN": (0.29, 0.09, 0.05),
            "L1": (0.48, 0.18, 0.13),
            "L1 + cGAN": (0.55, 0.20, 0.14),
        },
        (
            ("L1 + cGAN", "encoder-decoder, L1 + cGAN"),
            ("L1", "encoder-decoder, L1"),
            ("encoder-decoder, L1", "encoder-decoder, L1 + cGAN"),
        ),
    ),
    Published(
        "table 3",
        {
            "field 1, L1 + cGAN": (0.39, 0.15, 0.10),
            "field 16, L1 + cGAN": (0.65, 0.21, 0.17),
            "L1 + cGAN": (0.66, 0.23, 0.17),
            "whole image, L1 + cGAN": (0.42, 0.16, 0.11),
        },
        (
            ("L1 + cGAN", "field 1, L1 + cGAN"),
            ("L1 + cGAN", "field 16, L1 + cGAN"),
            ("L1 + cGAN", "whole image, L1 + cGAN"),
        ),
    ),
    Published(
        "table 6",
        {
            "photo to labels, L1": (0.86, 0.42, 0.35),
            "photo to labels, L1 + cGAN": (0.83, 0.36, 0.29),
        },
        (("photo to labels, L1", "photo to labels, L1 + cGAN"),),
    ),
)
# The paper's values of what preset cpu sets otherwise, for comparisons with it and with PyTorch.
PAPER: dict[str, Any] = {
    "upsampling": "transposed", "ema": 0.0, "n_layers": 3,
    "gan_mode": "vanilla", "learning_rate": 2e-4, "lambda_l1": 100.0,
}  # fmt: skip
HISTOGRAMS = (
    Published(
        "figure 7",
        {
            "L1": (0.81, 0.69, 0.70),
            "cGAN": (0.87, 0.74, 0.84),
            "L1 + cGAN": (0.86, 0.84, 0.82),
            "field 1, L1 + cGAN": (0.83, 0.68, 0.78),
        },
        (
            ("L1 + cGAN", "L1"),
            ("cGAN", "L1"),
            ("L1 + cGAN", "field 1, L1 + cGAN"),
        ),
    ),
)
# The same row twice, with two seeds.
OURS = ("L1 + cGAN", "L1 + cGAN, seed 1")
SEEDS = (OURS, ("L1", "L1, seed 1"), ("cGAN", "cGAN, seed 1"))
PYTORCH = ("PyTorch, L1 + cGAN", "PyTorch, L1 + cGAN, seed 1")
LAST = 5  # epochs, whose means are compared with PyTorch's


def page(found: Found, preparation: list[str]) -> str:
    """Return the page; `preparation` are the commands before those of the rows."""
    lines = [
        "# The paper's comparisons on real facades",
        "",
        "CMP facades, 400 pairs to train on, 100 held out; preset `cpu` (128x128, ngf 32, 15",
        "epochs) with the paper's upsampling and patches for every row, measured with the image's",
        "own statistics and dropout. Made by",
        "`python -m benchmarks.comparisons FACADES OUT`; [README.md](README.md) says what follows.",
        "",
        *measures(found),
        *ceiling(found),
        *earlier(found),
        "",
        *orders(
            found, "segmentation", SEGMENTATION, "Segmentation, per pixel / per class / class IoU"
        ),
        *orders(found, "histogram_intersection", HISTOGRAMS, "Histogram intersection, L / a / b"),
        *orders(
            found,
            "kid",
            SEGMENTATION,
            "KID x 1000, by how much the better row's is lower, beside the paper's per pixel",
        ),
        *beside_pytorch(found),
        *commands(found, preparation),
    ]
    return "\n".join(lines)


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return a table of Markdown."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def joined(numbers: Iterable[float], form: str = ".3f") -> str:
    """Return numbers as text."""
    return " / ".join(f"{number:{form}}" for number in numbers)


def generated(shown: dict[str, Any], measure: str) -> Numbers:
    """Return the numbers of a measure on the generated images: three, or KID alone."""
    entry = shown["scores"][measure]
    entries = [entry] if "generated" in entry else entry.values()
    return tuple(each["generated"] for each in entries)


def differences(first: Numbers, second: Numbers) -> Numbers:
    """Return by how much the first numbers exceed the second."""
    return tuple(a - b for a, b in zip(first, second, strict=True))


def measures(found: Found) -> list[str]:
    """Return the table of every measure."""
    head = ["run", "L1", "PSNR", "SSIM", "Lab histograms, L / a / b"]
    head += ["KID x 1000", "segmentation, per pixel / per class / IoU", "in the paper", "minutes"]
    rows = []
    for name, shown in found.items():
        l1, psnr, ssim = (shown["scores"][key]["generated"] for key in ("l1", "psnr", "ssim"))
        rows.append(
            [
                name,
                f"{l1:.3f}",
                f"{psnr:.2f}",
                f"{ssim:.3f}",
                joined(generated(shown, "histogram_intersection")),
                f"{kid['generated']:.0f}" if (kid := shown["scores"].get("kid")) else "",
                joined(generated(shown, "segmentation")),
                in_the_paper(name),
                f"{shown['minutes']:.1f}",
            ]
        )
    return [*table(head, rows), ""]


def in_the_paper(name: str) -> str:
    """Return the paper's numbers of a row in the first experiment that has it."""
    for published in SEGMENTATION:
        if name.removesuffix(", seed 1") in published.numbers:
            numbers = published.numbers[name.removesuffix(", seed 1")]
            return f"{joined(numbers, '.2f')} ({published.where})"
    return ""


def ceiling(found: Found) -> list[str]:
    """Say what the real photos score."""
    photos = [shown for shown in found.values() if shown["scores"]["target"] == "photos"]
    if not photos:
        return []
    real = [each["target"] for each in photos[0]["scores"]["segmentation"].values()]
    return [f"Real photos score {joined(real)}. The paper's numbers are of Cityscapes."]


def earlier(found: Found) -> list[str]:
    """Name the rows that were recorded before KID was: another segmenter has read them."""
    names = [name for name, shown in found.items() if "kid" not in shown["scores"]]
    if not names:
        return []
    told = f"Recorded earlier, without KID and with another training of the segmenter: {names[0]}"
    return ["", f"{'; '.join([told, *names[1:]])}."]


def spread(found: Found, measure: str) -> Numbers | None:
    """Return how far two seeds of one row lie apart, or None where no row was run twice."""
    apart = [
        differences(*(generated(found[name], measure) for name in pair))
        for pair in SEEDS
        if found.keys() >= set(pair)
    ]
    return tuple(max(map(abs, each)) for each in zip(*apart, strict=True)) or None


def mean(found: Found, name: str, measure: str) -> Numbers:
    """Return the numbers of a row, the mean of its seeds where it was run twice."""
    seeds = [name, *(twin for first, twin in SEEDS if first == name and twin in found)]
    each = zip(*(generated(found[seed], measure) for seed in seeds), strict=True)
    return tuple(sum(numbers) / len(seeds) for numbers in each)


def verdict(paper: float, here: float, seeds: float) -> str:
    """Say whether a difference has the paper's sign, or could be one between two seeds."""
    if abs(here) <= seeds:
        return "within the spread"
    return "agrees" if paper * here > 0 else "disagrees" if paper else "even in the paper"


def orders(found: Found, measure: str, experiments: tuple[Published, ...], names: str) -> list[str]:
    """Return the table that holds the order of the rows against the paper's.

    Of measures that fall where pictures get better it gives how much lower the better row is.
    """
    found = {name: shown for name, shown in found.items() if shown["scores"].get(measure)}
    seeds, rows = spread(found, measure), []
    form, sign = ("+.0f", -1) if measure in LOWER_IS_BETTER else ("+.3f", 1)
    for where, numbers, pairs in experiments:
        for better, worse in pairs:
            if seeds and {better, worse} <= found.keys():
                means = (mean(found, name, measure) for name in (better, worse))
                here = tuple(sign * value for value in differences(*means))
                paper = differences(numbers[better], numbers[worse])[: len(here)]
                said = " / ".join(map(verdict, paper, here, seeds))
                published = f"{joined(paper, '+.2f')} ({where})"
                rows.append([f"{better} over {worse}", published, joined(here, form), said])
    if not rows or not seeds:
        return []
    title = f"## {names.split(',', maxsplit=1)[0]}: is the order the paper's?"
    told = (
        f"{names}. Two seeds of one row (label map to photo) differ by up to "
        f"{joined(seeds, form[1:])}; rows run with two seeds are compared by their means."
    )
    head = ["difference", "in the paper", "here", "verdict"]
    return [title, "", told, "", *table(head, rows), ""]


def beside_pytorch(found: Found) -> list[str]:
    """Return the table of the same training here and in PyTorch, and whether they differ."""
    if not found.keys() >= {*OURS, *PYTORCH}:
        return []
    means = {name: last_epochs(found[name]) for name in (*OURS, *PYTORCH)}
    said = []
    for place, name in enumerate(("L1", "PSNR", "SSIM")):
        ours, theirs = ([means[run][place] for run in runs] for runs in (OURS, PYTORCH))
        gap = (sum(ours) - sum(theirs)) / 2
        seeds = max(max(pair) - min(pair) for pair in (ours, theirs))
        where = "within" if abs(gap) <= seeds else "outside"
        said.append(f"{name} {gap:+.3f}, {where} the {seeds:.3f} that two seeds differ by")
    rows = [
        [name, joined(three), joined(generated(found[name], "segmentation"))]
        for name, three in means.items()
    ]
    head = ["run", f"L1 / PSNR / SSIM, means of the last {LAST} epochs", "segmentation"]
    told = f"Ours less PyTorch's, means of both seeds: {'; '.join(said)}."
    return ["## Beside PyTorch", "", *table(head, rows), "", told, ""]


def last_epochs(shown: dict[str, Any]) -> Numbers:
    """Return the means of held-out L1, PSNR and SSIM over a run's last epochs."""
    return tuple(sum(curve[-LAST:]) / LAST for curve in shown["curves"].values())


def commands(found: Found, preparation: list[str]) -> list[str]:
    """Return the commands that made each row."""
    lines = ["## Commands", "", "Each after `python -m`, from the root of a clone:", "", "```"]
    lines += preparation
    for name, shown in found.items():
        lines += [f"# {name}", *shown["commands"]]
    return [*lines, "```", ""]
