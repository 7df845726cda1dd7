"""StarGAN v2 on facades in three looks, and what the diversity loss does.

`python -m benchmarks.stargan OUT` trains in OUT, one after the other (`--only` takes one of them):
a network for 64x64, then at 32x32 short runs with and without the diversity loss, three seeds each.
Finished work is not done again, and an interrupted training goes on. A classifier of domains,
trained on buildings that no run has seen, judges what they make of held-out buildings. Numbers go
to stargan.json beside this file; the averaged networks of 64x64, their log and their strip over the
epochs to checkpoints/stargan-64.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.shipped import ship
from pix2pix_ms.config.family import StarGANConfig
from pix2pix_ms.config.models import preset
from pix2pix_ms.data.facades import DOMAINS, Pixels, styled
from pix2pix_ms.data.images import from_pixels, to_pixels
from pix2pix_ms.family.stargan.task import StylesTask
from pix2pix_ms.family.stargan.translate import Averages, StyleTranslator, load_averages
from pix2pix_ms.machine.files import SHIPPED
from pix2pix_ms.pix2pix.measures import quality
from pix2pix_ms.training.epochs import train
from pix2pix_ms.training.run import Run

RESULTS = Path(__file__).with_suffix(".json")
IMAGES = 600
# The average reaches further back than in the preset, whose run is far shorter.
LARGE = "64x64"
LARGER: dict[str, Any] = {
    "learning_rate": 1e-3, "lambda_diversity": 0.3, "ema": 0.998, "epochs": 20,
}  # fmt: skip
FOLDER = SHIPPED / "stargan-64"
STAGES = (2, 4, 8, 14, 20)  # epochs of the strip
RUNS = {"with the diversity loss": 0.3, "without": 0.0}  # at 32x32: the weight of that loss
SEEDS, SHORT = 3, 1  # and their epochs
HOUSES = {"night": 20_002, "stucco": 20_003, "brick": 20_004}  # seeds of what the strip translates
ENLARGED = 3
NAMES = tuple(sorted(DOMAINS))  # in the order of the records
FIRST_SEED = 10_000  # of buildings that no training has seen: those to judge by, and to judge
CLASSIFIED, SOURCES = 150, 30  # buildings of each kind
STYLES = 4  # of each domain, for each source


def settings(size: int, **changes: Any) -> StarGANConfig:
    """Return a run's settings: the networks of preset `quick` for images of `size`."""
    config: StarGANConfig = preset("quick", "stargan", domains=NAMES)
    config = replace(config, size=size, jitter_size=size, facades=IMAGES, save_every=2)
    return replace(config, **changes)


def configs() -> dict[str, StarGANConfig]:
    """Return the settings of every run, by its name: the large one first."""
    return {LARGE: settings(64, **LARGER)} | {
        f"{name}, seed {seed}": settings(32, epochs=SHORT, seed=seed, lambda_diversity=weight)
        for name, weight in RUNS.items()
        for seed in range(SEEDS)
    }


def photos(seeds: range, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return buildings in every domain in turn, float32 [N, 3, size, size], and its number."""
    labels = np.arange(len(seeds)) % len(NAMES)
    pictures = [styled(s, size, NAMES[n]) for s, n in zip(seeds, labels, strict=True)]
    return from_pixels(np.stack(pictures)), labels


def features(images: np.ndarray) -> np.ndarray:
    """Describe float32 [N, 3, H, W] for the classifier: means of 8x8 cells, and a histogram."""
    count, _, height, width = images.shape
    cells = images.reshape(count, 3, 8, height // 8, 8, width // 8).mean((3, 5))
    bins = np.clip(((images + 1) * 4).astype(int), 0, 7)
    shares = np.stack([(bins == level).mean((2, 3)) for level in range(8)], 1)
    return np.concatenate([cells.reshape(count, -1), shares.reshape(count, -1)], 1)


@cache
def classifier(size: int) -> tuple[Pipeline, float]:
    """Train a classifier of domains on real photos; return it and its accuracy on others."""
    seeds = range(FIRST_SEED, FIRST_SEED + len(NAMES) * CLASSIFIED)
    images, labels = photos(seeds, size)
    judge = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    judge.fit(features(images), labels)
    others, truth = photos(range(seeds.stop, seeds.stop + len(NAMES) * SOURCES), size)
    return judge, float(judge.score(features(others), truth))


@cache
def real_features(domain: str, size: int) -> np.ndarray:
    """Return what KID compares with: features of real photos of a domain."""
    seeds = range(FIRST_SEED, FIRST_SEED + CLASSIFIED)
    return quality.features([styled(seed, size, domain) for seed in seeds])


def translations(
    averages: Averages, sources: np.ndarray, labels: np.ndarray, guide: str
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (domain, all sources in one of its styles), of styles by latents or by references."""
    rng = np.random.default_rng(0)
    count = len(sources)
    for target in range(len(NAMES)):
        towards = np.full(count, target)
        of_domain = sources[labels == target]
        for number in range(STYLES):
            if guide == "latent":
                z = rng.standard_normal((1, averages.config.latent_dim), np.float32)
                style = averages.style_from(np.repeat(z, count, 0), towards)
            else:
                style = averages.style_of(np.repeat(of_domain[number][None], count, 0), towards)
            yield target, averages.generate(sources, style)


def judged(averages: Averages, judge: Pipeline, guide: str) -> dict[str, Any]:
    """Return accuracy and KID of what is generated, and the mean L1 of two styles of a source."""
    size = averages.config.size
    start = FIRST_SEED + len(NAMES) * (CLASSIFIED + SOURCES)
    sources, labels = photos(range(start, start + SOURCES), size)
    made: dict[int, list[np.ndarray]] = {}
    right = []
    for target, images in translations(averages, sources, labels, guide):
        made.setdefault(target, []).append(images)
        right.append(judge.predict(features(images))[labels != target] == target)
    distances = [
        np.abs(one - other).mean()
        for images in made.values()
        for place, one in enumerate(images)
        for other in images[:place]
    ]
    kids = {}
    for target, name in enumerate(NAMES):
        translated = np.concatenate([images[labels != target] for images in made[target]])
        seen = quality.features([to_pixels(image) for image in translated])
        kids[name] = quality.kid(seen, real_features(name, size)).mean
    return {
        "accuracy": float(np.concatenate(right).mean()),
        "diversity": float(np.mean(distances)),
        "kid": kids,
    }


def trained(config: StarGANConfig, folder: Path) -> Path:
    """Train a run to its end."""
    records = StylesTask.records(None, folder, config, resuming=True)
    return train(config, StylesTask.open_data(records, config), folder, resume=True).folder


def measured(run: Run) -> dict[str, Any]:
    """Return what a finished run is, and what it makes of styles from noise and from references."""
    config, log = run.config(), run.log()
    judge, accuracy = classifier(config.size)
    averages = load_averages(run.folder)
    return {
        "size": config.size, "images": IMAGES, "epochs": config.epochs, "steps": log[-1]["step"],
        "minutes": round(sum(row["seconds"] for row in log) / 60, 1),
        "accuracy on real photos": accuracy,
        "made": {guide: judged(averages, judge, guide) for guide in ("latent", "reference")},
    }  # fmt: skip


def strip(run: Run) -> list[list[Pixels]]:
    """Return houses no training has seen, and at every stage each in the style of the one below."""
    size, looks = run.config().size, list(HOUSES)
    houses = {look: styled(seed, size, look) for look, seed in HOUSES.items()}
    rows = [[house] for house in houses.values()]
    for epoch in STAGES:
        averages = load_averages(run.generator_file(epoch))
        for place, row in enumerate(rows):
            look = looks[(place + 1) % len(looks)]
            translate = StyleTranslator(averages, look, houses[look])
            row.append(translate.image(row[0]))
    return rows


def main() -> None:
    """Train what is missing, measure all, write it down, and ship the larger network."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stargan", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=configs(), help="train this run and stop")
    arguments = parser.parse_args()
    runs = {
        name: Run(trained(config, arguments.out / name.replace(", ", "_").replace(" ", "-")))
        for name, config in configs().items()
        if arguments.only in (None, name)
    }
    if arguments.only:
        return
    rows = {name: measured(run) for name, run in runs.items()}
    results = {"command": "python -m benchmarks.stargan OUT", "runs": rows}
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    ship([runs[LARGE]], FOLDER / "averages.safetensors", strip(runs[LARGE]), ENLARGED)


if __name__ == "__main__":
    main()
