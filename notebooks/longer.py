"""Run notebooks with a few lines changed, mostly to train longer, and keep the picture they make.

`python notebooks/longer.py` does so for all notebooks in `CHANGES`, or for those named, and writes
`longer/NAME.jpeg`, which the notebook shows beside what it trains in a minute.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from regenerate import pictures

FOLDER = Path(__file__).parent
CHANGES = {  # the cell whose last picture is kept; each old text, which stands once, and the new
    "03_training": (
        "cell-46",
        {
            "for epoch in range(1, config.epochs + 1):": """record = FOLDER / "more.mindrecord"
pix2pix_ms.write_record(facade_pairs(400, config.size, first_seed=1000), record)
more = pix2pix_ms.training_data(record, config.seed).train
parts = [(data.train, config), (more, replace(config, epochs=24, learning_rate=1e-3))]
after = []
for part, config, epoch in [(a, b, n) for a, b in parts for n in range(1, b.epochs + 1)]:""",
            "(data.train, config, epoch), data.train": "(part, config, epoch), part",
            "    live.update(watch())": """    if epoch == config.epochs:
        after.append([[generate(x)[0] for x, _ in held_out] for generate in kinds.values()])
(_, minute), (alone, both) = after
rows = [[x[0], alone[n], minute[n], both[n], y[0]] for n, (x, y) in enumerate(held_out[:3])]
titles = ["input", "L1 alone, longer", "L1 + cGAN, a minute", "L1 + cGAN, longer", "target"]
display(image_grid(rows, titles, 2))""",
        },
    ),
    "06_colourisation": (
        "cell-21",
        {
            '"quality": 85': '"quality": 80',  # below 200 kB
            """live, rng = display(watch(0), display_id=True), np.random.default_rng(0)
for n in range(1, STEPS + 1):
    batch = painted([street[i] for i in rng.integers(len(street), size=BATCH)], rng)
    x, y = Tensor(batch[:, :1]), Tensor(batch[:, 1:])
    for step in train:
        step(x, y)
    if n % 85 == 0:
        live.update(watch(n))""": """ways = {
    "as above": (1, "instance"),
    "five times the steps": (5, "instance"),
    "D sees the batch": (1, "batch"),
}
rows, titles, short = [], [], STEPS
for times, norm in ways.values():
    STEPS = times * short
    rates = [1e-3 * min(1, 4 - 4 * n / STEPS) for n in range(STEPS)]
    rows.append([])
    for seed in range(3):
        config = replace(config, seed=seed)
        judge = replace(config, norm=norm)
        G, D = new()
        step, rng = training_of(G, D, gan=True), np.random.default_rng(seed)
        for _ in range(STEPS):
            batch = painted([street[i] for i in rng.integers(len(street), size=BATCH)], rng)
            step(Tensor(batch[:, :1]), Tensor(batch[:, 1:]))
        rows[-1] += pictures(Translator(G, config)(given))[:3]
        titles += ["", f"seed {seed}: {choices(Translator(G, config))}", ""]
figure = image_grid(rows, titles, 1.2, list(ways))
for axes in figure.axes:
    axes.title.set_fontsize(8)
display(figure)""",
        },
    ),
    "10_cyclegan": (
        "cell-21",
        {
            "STEPS = 240": "STEPS = 1500",
            "RATE = 2e-3": "RATE = 7e-4",
            """for losses, row in learn(weight=10.0):
    live.update(watch(losses, row))""": """rows = []
for settings in ((10.0,), (0.1,), (10.0, 0.5)):
    for losses, row in learn(*settings):
        pass  # to the end
    rows.append(row)
names = ["λ = 10", "λ = 0.1", "λ = 10, identity"]
display(in_colour(image_grid(rows, TITLES, 1.8, names)))""",
        },
    ),
    "11_stargan": (
        "cell-25",
        {
            """for losses in learn():
    live.update(watch(by_reference(), losses))""": """def levels(one, other):
    return 127.5 * np.mean(np.abs(one - other))


def again(rows):
    # each row painted again, in the style that E reads from it
    digit = Tensor(np.repeat(sources[2:3], len(rows[0]), 0))
    codes = [E(Tensor(row), one_hot([n] * len(row))) for n, row in enumerate(rows)]
    return np.stack([G(digit, code).asnumpy().clip(-1, 1) for code in codes])


hues = np.random.default_rng(0).random((3, 300))
every = np.stack([painted(CLEAR[[2] * 300], [each] * 300, hues[each]) for each in range(3)])
places = [(1, 0), (1, 1), (2, 0)]  # domains and noises that are shown
columns = [[*sources[:3], *sources[[2] * 3]]]
columns += [[*images[:3], *[np.ones_like(sources[0])] * 3] for images in (references, answers)]
heads = ["source\\n\\n\\n", "reference\\n\\n\\n"]
heads.append(f"painted\\n\\n{levels(every[:, 1:], every[:, :-1]):.0f}\\n")
for name, weights in {
    "adversarial": {"style": 0, "diversity": 0, "cycle": 0},
    "+ diversity": {"style": 0, "cycle": 0},
    "+ style": {"cycle": 0},
    "+ cycle": {},
    "all but style": {"style": 0},
}.items():
    for losses in learn(**weights):
        pass  # to the end
    many = np.stack(by_noise(300))
    found = apart(by_reference()), levels(many[:, 1:], many[:, :-1]), levels(again(many), many)
    heads.append("\\n".join([name, *(f"{each:.0f}" for each in found)]))
    columns.append([*by_reference()[:3], *(many[place] for place in places)])
figure = image_grid(list(zip(*columns, strict=True)), cell=1.2)
figure.set_size_inches(11, 8.1)
figure.subplots_adjust(left=1.4 / 11, top=1 - 0.9 / 8.1)
first = figure.axes[0]
for axes, head in zip(figure.axes[: len(heads)], heads, strict=True):
    axes.text(0.5, 1.04, head, ha="center", va="bottom", fontsize=10, transform=axes.transAxes)
text = "from the answer\\ntwo noises apart\\nread and repainted"
first.text(-0.06, 1.04, text, ha="right", va="bottom", fontsize=10, transform=first.transAxes)
by = [f"reference {n}" for n in (1, 2, 3)] + [f"{DOMAINS[d]}, noise {n + 1}" for d, n in places]
for axes, name in zip(figure.axes[:: len(heads)], by, strict=True):
    axes.text(-0.06, 0.5, name, ha="right", va="center", fontsize=10, transform=axes.transAxes)""",
            "display(image_grid(by_noise(), cell=1.3, names=DOMAINS))": "display(figure)",
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
    kind, picture = pictures(cell)[-1]
    (FOLDER / "longer" / f"{name}.{kind}").write_bytes(picture)


if __name__ == "__main__":
    for each in sys.argv[1:] or CHANGES:
        record(each)
