"""The page COMPARISONS.md: every measure of every row, and whether the order is the paper's."""

from typing import Any

Numbers = tuple[float, ...]  # per pixel, per class, class IoU; or the shares of L, a and b
Found = dict[str, Any]  # what `comparisons.measured` returns, by the row's name

# What the paper compares, the one it finds better first.
ORDER = [
    ("L1 + cGAN", "L1"),
    ("cGAN", "L1"),
    ("L1 + cGAN", "cGAN"),
    ("L1 + cGAN", "L1 + GAN"),
    ("L1 + cGAN", "encoder-decoder, L1 + cGAN"),
    ("L1", "encoder-decoder, L1"),
    ("L1 + cGAN", "field 1, L1 + cGAN"),
    ("L1 + cGAN", "field 16, L1 + cGAN"),
    ("L1 + cGAN", "whole image, L1 + cGAN"),
    ("photo to labels, L1", "photo to labels, L1 + cGAN"),
]
# The same row twice, with two seeds.
OURS = ("L1 + cGAN", "L1 + cGAN, seed 1")
SEEDS = [OURS, ("L1", "L1, seed 1")]
PYTORCH = ("PyTorch, L1 + cGAN", "PyTorch, L1 + cGAN, seed 1")
LAST = 5  # epochs, whose means are compared with PyTorch's


def page(found: Found, preparation: list[str]) -> str:
    """Return the page; `preparation` are the commands before those of the rows."""
    lines = [
        "# The paper's comparisons on real facades",
        "",
        "CMP facades, 400 pairs to train on, 100 held out; preset `cpu` (128x128, ngf 32, 15",
        "epochs) for every row, measured with the image's own statistics and dropout. Made by",
        "`python -m benchmarks.comparisons FACADES OUT`; [README.md](README.md) says what follows.",
        "",
        *measures(found),
        *ceiling(found),
        "",
        *orders(found, "segmentation", "per pixel / per class / class IoU"),
        *orders(found, "histogram_intersection", "L / a / b"),
        *beside_pytorch(found),
        *commands(found, preparation),
    ]
    return "\n".join(lines)


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return a table of Markdown."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def joined(numbers: Numbers, form: str = ".3f") -> str:
    """Return numbers as text."""
    return " / ".join(f"{number:{form}}" for number in numbers)


def generated(shown: dict[str, Any], measure: str) -> Numbers:
    """Return the three numbers of a measure on the generated images."""
    return tuple(entry["generated"] for entry in shown["scores"][measure].values())


def differences(first: Numbers, second: Numbers) -> Numbers:
    """Return by how much the first numbers exceed the second."""
    return tuple(a - b for a, b in zip(first, second, strict=True))


def measures(found: Found) -> list[str]:
    """Return the table of every measure."""
    head = ["run", "L1", "PSNR", "SSIM", "Lab histograms, L / a / b"]
    head += ["segmentation, per pixel / per class / IoU", "in the paper", "minutes"]
    rows = []
    for name, shown in found.items():
        single = {key: shown["scores"][key]["generated"] for key in ("l1", "psnr", "ssim")}
        paper = shown["paper"]["segmentation"]
        rows.append(
            [
                name,
                f"{single['l1']:.3f}",
                f"{single['psnr']:.2f}",
                f"{single['ssim']:.3f}",
                joined(generated(shown, "histogram_intersection")),
                joined(generated(shown, "segmentation")),
                joined(paper, ".2f") if paper else "",
                f"{shown['minutes']:.1f}",
            ]
        )
    return [*table(head, rows), ""]


def ceiling(found: Found) -> list[str]:
    """Say what the real photos score."""
    photos = [shown for shown in found.values() if shown["scores"]["target"] == "photos"]
    if not photos:
        return []
    real = tuple(each["target"] for each in photos[0]["scores"]["segmentation"].values())
    return [f"Real photos score {joined(real)}. The paper's numbers are of Cityscapes."]


def spread(found: Found, measure: str) -> Numbers | None:
    """Return how far two seeds of one row lie apart, or None where no row was run twice."""
    apart = [
        differences(*(generated(found[name], measure) for name in pair))
        for pair in SEEDS
        if found.keys() >= set(pair)
    ]
    return tuple(max(map(abs, each)) for each in zip(*apart, strict=True)) or None


def verdict(paper: float, here: float, seeds: float) -> str:
    """Say whether a difference has the paper's sign, or could be one between two seeds."""
    if abs(here) <= seeds:
        return "within the spread"
    return "agrees" if paper * here > 0 else "disagrees" if paper else "even in the paper"


def orders(found: Found, measure: str, names: str) -> list[str]:
    """Return the table that holds the order of the rows against the paper's."""
    seeds, rows = spread(found, measure), []
    for pair in ORDER:
        papers = [found[name]["paper"][measure] for name in pair if name in found]
        if seeds and len(papers) == 2 and all(papers):
            paper = differences(*papers)
            here = differences(*(generated(found[name], measure) for name in pair))
            said = " / ".join(map(verdict, paper, here, seeds))
            rows.append([" over ".join(pair), joined(paper, "+.2f"), joined(here, "+.3f"), said])
    if not rows or not seeds:
        return []
    title = f"## {measure.replace('_', ' ').capitalize()}: is the order the paper's?"
    told = f"{names}. Two seeds of one row differ by up to {joined(seeds)}."
    head = ["difference", "in the paper", "here", "verdict"]
    return [title, "", told[0].upper() + told[1:], "", *table(head, rows), ""]


def beside_pytorch(found: Found) -> list[str]:
    """Return the table of the same training here and in PyTorch, and whether they differ."""
    if not found.keys() >= {*OURS, *PYTORCH}:
        return []
    curves = {name: found[name]["curves"].values() for name in (*OURS, *PYTORCH)}
    means = {name: [sum(each[-LAST:]) / LAST for each in curves[name]] for name in curves}
    here, there = (
        list(zip(*(means[name] for name in names), strict=True)) for names in (OURS, PYTORCH)
    )
    said = []
    for name, ours, theirs in zip(("L1", "PSNR", "SSIM"), here, there, strict=True):
        gap = (sum(ours) - sum(theirs)) / 2
        seeds = max(max(pair) - min(pair) for pair in (ours, theirs))
        place = "within" if abs(gap) <= seeds else "outside"
        said.append(f"{name} {gap:+.3f}, {place} the {seeds:.3f} that two seeds differ by")
    rows = []
    for name, three in means.items():
        judged = joined(generated(found[name], "segmentation"))
        rows.append([name, joined(tuple(three)), judged, f"{found[name]['minutes']:.1f}"])
    head = ["run", f"L1 / PSNR / SSIM, means of the last {LAST} epochs", "segmentation", "minutes"]
    told = f"Ours less PyTorch's, means of both seeds: {'; '.join(said)}."
    return ["## Beside PyTorch", "", *table(head, rows), "", told, ""]


def commands(found: Found, preparation: list[str]) -> list[str]:
    """Return the commands that made each row."""
    lines = ["## Commands", "", "Each after `python -m`, from the root of a clone:", "", "```"]
    lines += preparation
    for name, shown in found.items():
        lines += [f"# {name}", *shown["commands"]]
    return [*lines, "```", ""]
