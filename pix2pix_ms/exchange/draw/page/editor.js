// The page at work: pointers and keys make drawings, and the newest becomes a building.
const $ = (selector) => document.querySelector(selector), all = (selector) => [...document.querySelectorAll(selector)];
const stage = $("#stage"), frame = $("#frame"), view = $("#drawing"), building = $("#building");
const MEGAPIXELS = 20, STEP = 8, HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
let drawing, past = [], future = [], selected = -1, seed = NETWORK.seed;
let tool = NETWORK.input === "labels" ? "rectangle" : "brush", kind = NETWORK.input === "labels" ? 2 : 4;
let gesture = null, clip = null, trail = null, message = ["loading"], painting = 0;

// ---- what is shown ----

const isError = () => /^no|^too/.test(message[0]);
function say(name, ...values) {
  message = [name, ...values];
  const text = word(name);
  $("#status").textContent = typeof text === "function" ? text(...values) : text;
  $("#status").classList.toggle("error", isError());
}

function show(next, select = selected) {
  [drawing, selected] = [next, next.shapes[select] ? select : -1];
  building.dataset.state = "working";
  if (isError()) say("working");
  cancelAnimationFrame(painting);
  painting = requestAnimationFrame(paint);
  build();
  keep();
}

function paint() {
  view.getContext("2d").putImageData(coloured(drawing, view.width, view.height), 0, 0);
  const shape = drawing.shapes[selected];
  frame.hidden = !shape;
  if (shape) {
    const { x, y, w, h } = boundsOf(shape), part = (share, whole) => `${100 * share / whole}%`;
    Object.assign(frame.style, { left: part(x, ACROSS), top: part(y, DOWN), width: part(w, ACROSS), height: part(h, DOWN) });
  }
  const usable = { undo: past.length, redo: future.length, copy: shape, remove: shape };
  for (const [name, use] of Object.entries(usable)) $(`[data-do=${name}]`).disabled = !use;
  for (const button of all("[data-tool]")) button.setAttribute("aria-pressed", button.dataset.tool === tool);
  for (const chip of all("[data-kind]")) chip.setAttribute("aria-checked", +chip.dataset.kind === kind);
  document.body.dataset.tool = tool;
}

function translatePage() {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  for (const element of all("[data-word]")) element.textContent = word(element.dataset.word);
  $("#language").textContent = word("language");
  document.title = word("title");
  const labels = { "#stage": "drawing", "#building": "building", "#classes": "classes", "#tools": "tools" };
  for (const [selector, name] of Object.entries(labels)) $(selector).setAttribute("aria-label", word(name));
  $("#classes").replaceChildren(...NETWORK.palette.map(([name, colour], index) => {
    const chip = document.createElement("button"), swatch = document.createElement("i"), key = document.createElement("kbd");
    chip.append(swatch, nameOf(name), key);
    Object.assign(chip.dataset, { kind: index });
    chip.setAttribute("role", "radio");
    swatch.style.background = `rgb(${colour})`;
    key.textContent = "1234567890-="[index];
    return chip;
  }));
  say(...message);
}

// ---- the building: one request at a time, and the newest drawing next ----

let busy = false, stale = false;
async function build() {
  stale = true;
  if (busy) return;
  busy = true;
  while (stale) {
    stale = false;
    if (NETWORK.input === "picture" && !(drawing.ground instanceof HTMLImageElement)) { say("awaiting"); continue; }
    try {
      await network.ready;
      const start = performance.now(), { data } = coloured(drawing, NETWORK.width, NETWORK.height);
      const made = await network.generate(data, seed);
      building.getContext("2d").putImageData(new ImageData(made, NETWORK.width), 0, 0);
      if (!stale && !isError()) say("ready", Math.round(performance.now() - start));
    } catch (error) {
      say(network.failed, error.message);
    }
  }
  busy = false;
  building.dataset.state = "ready";
}

// ---- the address ----

let keeping, mine = null;
function keep() {
  clearTimeout(keeping);
  keeping = setTimeout(async () => history.replaceState(null, "", mine = `#${await packed(drawing, seed)}`), 250);
}

// Show what the address holds, or another drawing where it holds none.
async function fromAddress(otherwise) {
  if (location.hash === mine) return;
  try {
    const found = location.hash.length > 1 ? await unpacked(location.hash.slice(1)) : { drawing: otherwise, seed };
    seed = found.seed;
    show(found.drawing, -1);
  } catch {
    show(otherwise, -1);
    say("noDrawing");
  }
}

// ---- edits ----

function edit(next, select = selected) {
  past.push(drawing);
  future = [];
  show(next, select);
}

const withShape = (shape, index) => ({ ...drawing, shapes: Object.assign([...drawing.shapes], { [index]: shape }) });
const last = () => drawing.shapes.length;

// A copy of a copy keeps the distance of the first: a row of windows is Ctrl+D again and again.
function addCopy(shape) {
  const from = boundsOf(shape);
  const moved = trail?.index === selected && [from.x - trail.from.x, from.y - trail.from.y];
  const [dx, dy] = moved && (moved[0] || moved[1]) ? moved : [STEP, STEP];
  trail = { index: last(), from };
  edit(withShape(placed(shape, { ...from, x: from.x + dx, y: from.y + dy }), last()), last());
}

function travel(from, to) {
  if (!from.length) return;
  to.push(drawing);
  show(from.pop(), -1);
}

const blank = () => ({ ground: 0, shapes: NETWORK.input !== "labels" ? [] : [
  { kind: 1, form: 0, x: Math.round(ACROSS / 16), y: Math.round(DOWN / 8), w: Math.round(7 * ACROSS / 8), h: DOWN - Math.round(DOWN / 8) },
] });

const commands = {
  undo: () => travel(past, future),
  redo: () => travel(future, past),
  copy: () => selected >= 0 && addCopy(drawing.shapes[selected]),
  remove: () => selected >= 0 && edit({ ...drawing, shapes: drawing.shapes.toSpliced(selected, 1) }, -1),
  wall: () => edit(blank(), -1),
  facade: () => network.facade().then((parts) => edit(fromParts(parts), -1), (error) => say(network.failed, error.message)),
  open: () => $("#file").click(),
  another() { seed = Math.floor(Math.random() * 1e9); show(drawing); },
};

function choose(name) {
  tool = name;
  if (tool !== "select") selected = -1;
  paint();
}

function chooseKind(index) {
  kind = index;
  if (tool === "select" && selected >= 0) edit(withShape({ ...drawing.shapes[selected], kind }, selected));
  else paint();
}

async function openPicture(file) {
  const picture = new Image(), address = URL.createObjectURL(file);
  try {
    picture.src = address;
    await new Promise((resolve, reject) => Object.assign(picture, { onload: resolve, onerror: reject }));
    const pixels = picture.naturalWidth * picture.naturalHeight / 1e6;
    if (pixels > MEGAPIXELS) return say("tooLarge", file.name, pixels.toFixed(1));
    await picture.decode();
    edit({ ground: NETWORK.input === "labels" ? nearest(picture) : picture, shapes: [] }, -1);
  } catch {
    say("noImage", file.name);
  } finally {
    URL.revokeObjectURL(address);
  }
}

// ---- pointers: mouse, touch and pen ----

const within = (value, most) => Math.min(most, Math.max(0, value));
function pointOf({ clientX, clientY }) {
  const box = view.getBoundingClientRect();
  return [(clientX - box.left) / box.width * ACROSS, (clientY - box.top) / box.height * DOWN];
}

function hit([px, py], slack = 2) {
  return drawing.shapes.findLastIndex((shape) => {
    const { x, y, w, h } = boundsOf(shape);
    return px >= x - slack && px <= x + w + slack && py >= y - slack && py <= y + h + slack;
  });
}

// Each gesture gives, for where the pointer is now, the drawing as it was before with one change.
const gestures = {
  rectangle([ax, ay]) {
    const index = last(), round = ([x, y]) => [Math.round(within(x, ACROSS)), Math.round(within(y, DOWN))];
    return ([bx, by]) => {
      if (Math.hypot(bx - ax, by - ay) < 2) return null;
      const [[left, top], [right, bottom]] = [round([Math.min(ax, bx), Math.min(ay, by)]), round([Math.max(ax, bx), Math.max(ay, by)])];
      selected = index;
      return withShape({ kind, form: 0, x: left, y: top, w: Math.max(1, right - left), h: Math.max(1, bottom - top) }, index);
    };
  },
  brush(start) {
    const index = last(), points = [start.map(Math.round)], r = +$("#size").value;
    return (point) => {
      const [x, y] = point.map(Math.round), [bx, by] = points.at(-1);
      if (Math.hypot(x - bx, y - by) >= 2) points.push([x, y]);
      return withShape({ kind, form: STROKE, r, points: [...points] }, index);
    };
  },
  select([ax, ay], copies) {
    const index = selected, shape = drawing.shapes[index], from = shape && boundsOf(shape), into = copies ? last() : index;
    return ([bx, by]) => {
      const dx = Math.round(bx - ax), dy = Math.round(by - ay);
      if (!shape || !(dx || dy)) return null;
      selected = into;
      return withShape(placed(shape, { ...from, x: from.x + dx, y: from.y + dy }), into);
    };
  },
  resize([ax, ay], side) {
    const index = selected, shape = drawing.shapes[index], { x, y, w, h } = boundsOf(shape);
    return ([bx, by]) => {
      const dx = Math.round(bx - ax), dy = Math.round(by - ay);
      const left = side.includes("w") ? Math.min(x + dx, x + w - 1) : x, top = side.includes("n") ? Math.min(y + dy, y + h - 1) : y;
      const right = side.includes("e") ? Math.max(x + w + dx, x + 1) : x + w, bottom = side.includes("s") ? Math.max(y + h + dy, y + 1) : y + h;
      return withShape(placed(shape, { x: left, y: top, w: right - left, h: bottom - top }), index);
    };
  },
};

stage.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary || event.button || NETWORK.input === "picture") return;
  stage.setPointerCapture(event.pointerId);
  const start = pointOf(event), side = event.target.dataset.handle;
  if (tool === "select" && !side) selected = hit(start);
  const move = side ? gestures.resize(start, side) : gestures[tool](start, event.altKey);
  gesture = { before: drawing, start, side, move: (to) => { drawing = gesture.before; return move(to) ?? gesture.before; } };
  show(tool === "brush" && !side ? gesture.move(start) : drawing);
});

stage.addEventListener("pointermove", (event) => {
  if (!gesture || !event.isPrimary) return;
  for (const each of event.getCoalescedEvents?.().slice(0, -1) ?? []) if (tool === "brush") drawing = gesture.move(pointOf(each));
  const next = gesture.move(pointOf(event));
  show(next);
});

for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => {
  if (!gesture || !event.isPrimary) return;
  const { before, start, side } = gesture;
  gesture = null;
  if (name === "pointercancel") return show(before, -1);
  if (drawing !== before) {
    past.push(before);
    future = [];
  } else if (tool === "rectangle" && !side) selected = hit(start);
  paint();
});

// ---- buttons, keys, files ----

function save(what) {
  const { width, height } = NETWORK, both = what === "both";
  const canvas = Object.assign(document.createElement("canvas"), { width: both ? 2 * width : width, height });
  const context = canvas.getContext("2d");
  if (what !== "building") context.putImageData(coloured(drawing, width, height), 0, 0);
  if (what !== "drawing") context.drawImage(building, both ? width : 0, 0);
  canvas.toBlob((blob) => {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `${what}.png` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

document.addEventListener("click", ({ target }) => {
  const { dataset } = target.closest("button") ?? target;
  if (dataset.do) commands[dataset.do]();
  if (dataset.tool) choose(dataset.tool);
  if (dataset.kind) chooseKind(+dataset.kind);
  if (dataset.save) save(dataset.save);
});

$("#language").addEventListener("click", () => {
  language = LANGUAGES.find((name) => name !== language);
  try { localStorage.setItem("language", language); } catch { /* as above */ }
  translatePage();
  paint();
});

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const LETTERS = { r: () => choose("rectangle"), b: () => choose("brush"), v: () => choose("select"), n: commands.another,
  delete: commands.remove, backspace: commands.remove, escape: () => show(drawing, -1) };
const WITH_CONTROL = { z: commands.undo, y: commands.redo, d: commands.copy,
  c: () => { clip = drawing.shapes[selected] ?? clip; }, v: () => clip && addCopy(clip) };
document.addEventListener("keydown", (event) => {
  if (event.target.type === "range" && event.key in ARROWS) return;
  const name = event.key.toLowerCase(), shape = drawing.shapes[selected];
  const digit = ["Digit1", "Digit2", "Digit3", "Digit4", "Digit5", "Digit6", "Digit7", "Digit8", "Digit9", "Digit0", "Minus", "Equal"].indexOf(event.code);
  let action = null;
  if (event.ctrlKey || event.metaKey) action = name === "z" && event.shiftKey ? commands.redo : WITH_CONTROL[name];
  else if (event.altKey) return;
  else if (event.key in ARROWS && shape) {
    const [dx, dy] = ARROWS[event.key].map((step) => step * (event.shiftKey ? STEP : 1)), from = boundsOf(shape);
    action = () => edit(withShape(placed(shape, { ...from, x: from.x + dx, y: from.y + dy }), selected));
  } else action = digit >= 0 && digit < PALETTE.length ? () => chooseKind(digit) : LETTERS[name];
  if (!action) return;
  event.preventDefault();
  action();
});

document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
for (const name of ["dragleave", "drop"]) document.addEventListener(name, () => document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => { event.preventDefault(); if (event.dataTransfer.files[0]) openPicture(event.dataTransfer.files[0]); });
document.addEventListener("paste", ({ clipboardData: { files } }) => files[0] && openPicture(files[0]));
$("#file").addEventListener("change", ({ target }) => { if (target.files[0]) openPicture(target.files[0]); target.value = ""; });
window.addEventListener("hashchange", () => fromAddress(drawing));

// ---- the beginning ----

document.body.dataset.input = NETWORK.input;
document.body.classList.toggle("quiet", !Object.keys(NETWORK.masks).length);
document.documentElement.style.setProperty("--proportion", NETWORK.width / NETWORK.height);
$("#name").textContent = NETWORK.name;
Object.assign(view, { width: 2 * ACROSS, height: 2 * DOWN });
Object.assign(building, { width: NETWORK.width, height: NETWORK.height });
frame.append(...HANDLES.map((side) => {
  const handle = document.createElement("b");
  handle.dataset.handle = side;
  return handle;
}));
translatePage();
fromAddress(NETWORK.input === "labels" ? fromParts(NETWORK.facades[0]) : blank());
