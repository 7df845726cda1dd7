"""StarGAN v2 on facades in three looks, with and without the diversity loss, measured.

`python -m benchmarks.stargan OUT` trains both runs in OUT, one after the other (`--only` takes
one of them); finished work is not done again, and an interrupted training goes on. A classifier
of domains, trained on buildings that neither run has seen, judges what they make of held-out
buildings. Numbers go to stargan.json beside this file, the averaged networks of the run with the
diversity loss to checkpoints/stargan-32.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from pix2pix_ms.config.family import StarGANConfig
from pix2pix_ms.config.models import preset
from pix2pix_ms.data.facades import DOMAINS, styled
from pix2pix_ms.data.images import from_pixels
from pix2pix_ms.exchange.export import export
from pix2pix_ms.family.stargan.task import StylesTask
from pix2pix_ms.family.stargan.translate import SHIPPED, Averages, load_averages
from pix2pix_ms.training.epochs import train

RESULTS = Path(__file__).with_suffix(".json")
RUNS: dict[str, dict[str, Any]] = {
    "with the diversity loss": {},
    "without": {"lambda_diversity": 0.0},
}
IMAGES, EPOCHS = 600, 20
NAMES = tuple(sorted(DOMAINS))  # in the order of the records
FIRST_SEED = 10_000  # of buildings that no training has seen: those to judge by, and to judge
CLASSIFIED, SOURCES = 150, 30  # buildings of each kind
STYLES = 4  # of each domain, for each source


def settings() -> StarGANConfig:
    """Return what both runs have in common: narrow networks for 32x32, an hour of a core for both.

    Averages reach further back than in the preset, whose run is far shorter.
    """
    config: StarGANConfig = preset("quick", "stargan", domains=NAMES)
    return replace(config, epochs=EPOCHS, facades=IMAGES, save_every=EPOCHS, ema=0.998)


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


def classifier(size: int) -> tuple[Pipeline, float]:
    """Train a classifier of domains on real photos; return it and its accuracy on others."""
    seeds = range(FIRST_SEED, FIRST_SEED + len(NAMES) * CLASSIFIED)
    images, labels = photos(seeds, size)
    judge = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    judge.fit(features(images), labels)
    others, truth = photos(range(seeds.stop, seeds.stop + len(NAMES) * SOURCES), size)
    return judge, float(judge.score(features(others), truth))


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


def judged(averages: Averages, judge: Pipeline, guide: str) -> dict[str, float]:
    """Return accuracy of what is generated, and the mean L1 between two styles of one source."""
    start = FIRST_SEED + len(NAMES) * (CLASSIFIED + SOURCES)
    sources, labels = photos(range(start, start + SOURCES), averages.config.size)
    made: dict[int, list[np.ndarray]] = {}
    right = []
    for target, images in translations(averages, sources, labels, guide):
        made.setdefault(target, []).append(images)
        translated = labels != target
        right.append(judge.predict(features(images))[translated] == target)
    distances = [
        np.abs(one - other).mean()
        for images in made.values()
        for place, one in enumerate(images)
        for other in images[:place]
    ]
    return {
        "accuracy": float(np.concatenate(right).mean()),
        "diversity": float(np.mean(distances)),
    }


def trained(config: StarGANConfig, folder: Path) -> Path:
    """Train a run to its end."""
    records = StylesTask.records(None, folder, config, resuming=True)
    return train(config, StylesTask.open_data(records, config), folder, resume=True).folder


def main() -> None:
    """Train what is missing, measure all, write it down, and ship the run with diversity."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=RUNS, help="train this run and stop")
    arguments = parser.parse_args()
    runs = {}
    for name, changes in RUNS.items():
        if arguments.only in (None, name):
            config = replace(settings(), **changes)
            runs[name] = trained(config, arguments.out / name.replace(" ", "-"))
    if arguments.only:
        return
    judge, accuracy = classifier(settings().size)
    rows: dict[str, Any] = {}
    for name, run in runs.items():
        averages = load_averages(run)
        rows[name] = {guide: judged(averages, judge, guide) for guide in ("latent", "reference")}
    results = {
        "command": "python -m benchmarks.stargan OUT",
        "size": settings().size, "images": IMAGES, "epochs": EPOCHS,
        "steps": EPOCHS * (IMAGES // settings().batch_size),
        "accuracy on real photos": accuracy,
        "runs": rows,
    }  # fmt: skip
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    export(runs["with the diversity loss"], SHIPPED / "averages.safetensors", force=True)


if __name__ == "__main__":
    main()
