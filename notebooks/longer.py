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
            '"quality": 85': '"quality": 64',  # below 200 kB
            "for epoch in range(1, config.epochs + 1):": """record = FOLDER / "more.mindrecord"
pix2pix_ms.write_record(facade_pairs(400, whole.size, first_seed=1000), record)
more = pix2pix_ms.training_data(record, config.seed).train
parts = [(data.train, config), (more, replace(config, epochs=24, learning_rate=1e-3))]
for part, config, epoch in [(a, b, n) for a, b in parts for n in range(1, b.epochs + 1)]:""",
            "(data.train, config, epoch), data.train": "(part, config, epoch), part",
            "    live.update(watch())": """    pass  # to the end
rows = []
for x, y in (held_out[0], held_out[2]):
    row = [image[0] for image in (x, *(generate(x) for generate in kinds.values()), y)]
    rows += [row, [image[:, 120:230, 60:170] for image in row]]
display(image_grid(rows, ["input", *kinds, "target"], 2.4))""",
        },
    ),
    "06_colourisation": (
        "cell-21",
        {
            "STEPS, BATCH, LAMBDA = 340": "STEPS, BATCH, LAMBDA = 1700",
            "if n % 170 == 0": "if n % 425 == 0",
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


rows, variety = {"right answer": answers}, {}
for name, weights in {
    "all losses": {},
    "no cycle": {"cycle": 0},
    "no diversity": {"diversity": 0},
    "no style": {"style": 0},
    "no R1": {"r1": 0},
}.items():
    for losses in learn(**weights):
        pass  # to the end
    rows[name] = by_reference()
    variety[name] = 127.5 * np.array([each[4] for each in losses])
    early = variety[name][STEPS // 4 : STEPS // 2].mean()
    many = np.stack(by_noise(300))
    late = levels(many[:, 1:], many[:, :-1])
    numbers_of_the_table = apart(rows[name]), early, late, levels(again(many), many)
    print(name, *(f"{each:.1f}" for each in numbers_of_the_table), sep=" | ")
figure = plt.figure(figsize=(11, 3.6), dpi=100, layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(2, 1))
for axes_row, name in zip(left.subplots(3, 6), list(rows)[:3], strict=True):
    axes_row[0].set_ylabel(name)
    for axes, image in zip(axes_row, rows[name], strict=True):
        axes.imshow((image.transpose(1, 2, 0) + 1) / 2)
        axes.set(xticks=[], yticks=[])
axes = right.subplots()
for name in ("all losses", "no diversity"):
    smooth = np.convolve(variety[name], np.ones(20) / 20, "valid")
    axes.plot(range(20, STEPS + 1), smooth, label=name)
axes.legend(loc="lower right")
axes.axvspan(STEPS // 4, STEPS // 2, color="0.9")
axes.set(xlabel="step", xlim=(0, STEPS), ylim=(0, 60))
axes.set_title("two noises apart, in levels\\n(mean of the last 20 steps)", fontsize=10)
plt.close(figure)""",
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
    print(*(output.text for output in cell.outputs if output.output_type == "stream"))
    kind, picture = pictures(cell)[-1]
    (FOLDER / "longer" / f"{name}.{kind}").write_bytes(picture)


if __name__ == "__main__":
    for each in sys.argv[1:] or CHANGES:
        record(each)
