"""Run notebooks with a few lines changed, mostly to train longer, and keep the picture they make.

`python notebooks/longer.py` does so for all notebooks in `CHANGES`, or for those named, and writes
`longer/NAME.jpeg`, which the notebook shows beside what it trains in a minute. Notebook 5 makes
notebook 3's picture, too.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from regenerate import pictures

FOLDER = Path(__file__).parent
MADE_BY = {"03_training": "05_what_the_losses_do"}  # a picture of the same run
CHANGES = {  # the cell whose last picture is kept; each old text, which stands once, and the new
    "05_what_the_losses_do": (
        "cell-04",
        {
            '"quality": 85': '"quality": 64',  # below 200 kB
            "from pix2pix_ms import SHIPPED, image_grid, to_pixels": """
from dataclasses import replace
from pathlib import Path

from pix2pix_ms import (
    SHIPPED, Config, Pix2Pix, Translator, epoch_data, facade_pairs, image_grid, pairs_of,
    plain_data, to_pixels,
)

both = Config(
    size=128, fit="random-crop", ngf=32, levels=5, ndf=32, n_layers=2, upsampling="inner",
    gan_mode="lsgan", lambda_l1=10.0, epochs=20, learning_rate=4e-4, ema=0.999,
)
whole = replace(both, size=256, fit="resize")
pix2pix_ms.write_record(facade_pairs(400, whole.size), Path("houses.mindrecord"))
data = pix2pix_ms.training_data(Path("houses.mindrecord"), both.seed)
held_out = list(pairs_of(plain_data(data.held_out, whole), data.held_out))
kinds = {
    "L1 alone": replace(both, gan_weight=0.0),
    "L1 + cGAN": both,
    "cGAN alone": replace(both, lambda_l1=0.0),
}
painters = {}
for kind, config in kinds.items():
    model = Pix2Pix(config)
    for epoch in range(1, config.epochs + 1):
        model.set_learning_rate(config.learning_rate_at(epoch))
        for pair in pairs_of(epoch_data(data.train, config, epoch), data.train):
            model.train_step(*pair)
    painters[kind] = Translator(model.translating, config)


def shown(names, houses, cell):
    # what these paint, each with a close-up
    rows = []
    for x, y in (held_out[house] for house in houses):
        row = [image[0] for image in (x, *(painters[name](x) for name in names), y)]
        rows += [row, [image[:, 140:220, 60:140] for image in row]]
    display(image_grid(rows, ["label map", *names, "target"], cell))


shown(["L1 alone", "L1 + cGAN"], (5, 0), 2.4)  # notebook 3's
shown(["L1 alone", "cGAN alone", "L1 + cGAN"], (7, 2), 2)""",
        },
    ),
    "06_colourisation": (
        "cell-21",
        {
            '"quality": 85': '"quality": 75',  # below 200 kB
            "STEPS, LAMBDA = 800": "STEPS, LAMBDA = 2000",
            "if n % 200 == 0": "if n % 1000 == 0",
        },
    ),
    "07_your_own_data": (
        "keep",
        {
            '"quality": 85': '"quality": 75',  # below 200 kB
            "Pix2Pix(CONFIG), x, y, 600": "Pix2Pix(CONFIG), x, y, 5000",
            "Pix2Pix(TWIN), x, y, 600": "Pix2Pix(TWIN), x, y, 5000",
            "y[1:] + y[:1], 600": "y[1:] + y[:1], 1",  # not shown
            'image_grid([[new], [answer]], cell=2.6, names=["new.png", "answer.png"])': """\
image_grid([[new], [painted(alone, new)], [answer]], [], 2.6, ["x", "L1 alone", "with D"])""",
        },
    ),
    "10_cyclegan": (
        "cell-21",
        {
            "STEPS = 240": "STEPS = 600",
            "RATE = 2e-3": "RATE = 1.5e-3",
            """for losses, row in learn(weight=10.0):
    live.update(watch(losses, row))""": """rows = []
for weight in (10.0, 0.1):
    for losses, row in learn(weight):
        pass  # to the end
    rows.append(row)
display(in_colour(image_grid(rows, TITLES, 1.8, ["λ = 10", "λ = 0.1"])))""",
        },
    ),
    "11_stargan": (
        "cell-25",
        {
            "STEPS, RATE = 260, 5e-3": "STEPS, RATE = 1500, 3e-3",
            """for step, losses in learn():
    live.update(watch())
    print(f"step {step:3}: style {losses[3]:.2f}, cycle {losses[5]:.2f}")
""": """rows = {"right answer": answers}
for name, weights in {
    "all losses": {},
    "D and cycle": {"style": 0, "diversity": 0},
    "no cycle": {"cycle": 0},
    "D alone": {"style": 0, "diversity": 0, "cycle": 0},
}.items():
    for _ in learn(**weights):
        pass  # to the end
    made = by_reference()
    rows[f"{name}: {apart(made):.0f}"] = made
""",
            "display(image_grid(by_noise(), cell=1.8, names=DOMAINS))": """\
display(image_grid(list(rows.values()), titles, 1.5, names=list(rows)))""",
        },
    ),
}


def changed(name: str) -> nbformat.NotebookNode:
    """Return a notebook's code with its lines changed."""
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for old, new in CHANGES[name][1].items():
        (cell,) = (cell for cell in notebook.cells if old in cell.source)
        cell.source = cell.source.replace(old, new)
    return notebook


def record(name: str) -> None:
    """Train, and write the picture."""
    notebook = changed(name)
    with TemporaryDirectory() as folder:  # a notebook writes to ../runs
        (place := Path(folder) / "notebooks").mkdir()
        resources = {"metadata": {"path": str(place)}}
        NotebookClient(notebook, timeout=None, resources=resources).execute()
    (cell,) = (cell for cell in notebook.cells if cell.id == CHANGES[name][0])
    print(*(output.text for output in cell.outputs if output.output_type == "stream"))
    names = [*(made for made, maker in MADE_BY.items() if maker == name), name]
    for made, (kind, picture) in zip(names, pictures(cell)[-len(names) :], strict=True):
        (FOLDER / "longer" / f"{made}.{kind}").write_bytes(picture)


if __name__ == "__main__":
    for each in sys.argv[1:] or CHANGES:
        record(each)
