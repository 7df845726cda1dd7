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
            '"quality": 85': '"quality": 80',  # a smaller file
            "for epoch in range(1, config.epochs + 1):": """record = FOLDER / "more.mindrecord"
pix2pix_ms.write_record(facade_pairs(400, whole.size, first_seed=1000), record)
more = pix2pix_ms.training_data(record, config.seed).train
parts = [(data.train, config), (more, replace(config, epochs=24, learning_rate=1e-3))]
for part, config, epoch in [(a, b, n) for a, b in parts for n in range(1, b.epochs + 1)]:""",
            "(data.train, config, epoch), data.train": "(part, config, epoch), part",
            "    live.update(watch())": """    pass  # to the end
rows = [[x[0], *(generate(x)[0] for generate in kinds.values()), y[0]] for x, y in held_out[:3]]
display(image_grid(rows, ["input", *kinds, "target"], 2.7))""",
        },
    ),
    "06_colourisation": (
        "cell-21",
        {
            '"quality": 85': '"quality": 80',  # a smaller file
            """live = display(image_grid([given], cell=1.3), display_id=True)
rng = np.random.default_rng(0)
for n in range(1, STEPS + 1):
    batch = painted([street[i] for i in rng.integers(len(street), size=BATCH)], rng)
    x, y = Tensor(batch[:, :1]), Tensor(batch[:, 1:])
    for name, step in train.items():
        if name != "L1" or n <= 170:  # L1 needs no more
            step(x, y)
            if n % 85 == 0:
                live.update(watch(name, n))""": """ways = {
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
every = np.stack([painted(numbers[[2] * 300], [each] * 300, hues[each]) for each in range(3)])
places = [(d, n) for d in (0, 2) for n in range(2)]  # domains and noises that are shown
columns = [[*sources[:2], *sources[[2] * 4]]]
columns += [[*images[:2], *[np.ones_like(sources[0])] * 4] for images in (references, answers)]
hue = f"{levels(every[:, 1:], every[:, :-1]):.0f}"
heads = ["source" + 4 * "\\n", "reference" + 4 * "\\n", f"right answer\\n\\n\\n{hue}\\n"]
for name, weights in {
    "all losses": {},
    "no diversity": {"diversity": 0},
    "no style": {"style": 0},
    "no cycle": {"cycle": 0},
    "no R1": {"r1": 0},
}.items():
    for losses in learn(**weights):
        pass  # to the end
    many = np.stack(by_noise(300))
    early = 127.5 * np.mean([each[4] for each in losses[STEPS // 4 : STEPS // 2]])
    late = levels(many[:, 1:], many[:, :-1])
    found = apart(by_reference()), early, late, levels(again(many), many)
    heads.append("\\n".join([name, *(f"{each:.0f}" for each in found)]))
    columns.append([*by_reference()[:2], *(many[place] for place in places)])
figure = image_grid(list(zip(*columns, strict=True)), cell=1.2)
figure.set_size_inches(12, 8.6)
figure.subplots_adjust(left=2 / 12, top=1 - 1.3 / 8.6)
first = figure.axes[0]
look = {"fontsize": 12.5, "ha": "right"}
for axes, head in zip(figure.axes[: len(heads)], heads, strict=True):
    place = {"transform": axes.transAxes, "ha": "center", "va": "bottom"}
    axes.text(0.5, 1.04, head, **look | place)
text = "from the answer\\ntwo noises, early\\ntwo noises, at the end\\nread and repainted"
first.text(-0.06, 1.04, text, va="bottom", transform=first.transAxes, **look)
by = [f"reference {n}" for n in (1, 2)] + [f"{DOMAINS[d]}, noise {n + 1}" for d, n in places]
for axes, name in zip(figure.axes[:: len(heads)], by, strict=True):
    axes.text(-0.06, 0.5, name, va="center", transform=axes.transAxes, **look)""",
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
