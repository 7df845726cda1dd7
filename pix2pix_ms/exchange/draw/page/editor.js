// The page at work: pointers and keys make drawings, and the newest becomes a building.
const $ = (selector) => document.querySelector(selector), all = (selector) => [...document.querySelectorAll(selector)];
const stage = $("#stage"), frame = $("#frame"), view = $("#drawing"), building = $("#building");
const MEGAPIXELS = 20, STEP = 8, LABELS = NETWORK.input === "labels", KEYS = "1234567890-=";
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
let drawing, past = [], future = [], selected = -1, seed = NETWORK.seed;
let tool = LABELS ? "rectangle" : "brush", kind = LABELS ? 2 : 4;
let gesture = null, clip = null, copied = null, message = ["loading"], painting = 0, busy = false, stale = false;

// ---- what is shown ----
const isError = () => /^no|^too/.test(message[0]);
function say(...words) {
  message = words;
  const [text, ...values] = [word(words[0]), ...words.slice(1)];
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
  const shape = drawing.shapes[selected], share = (part, whole) => `${100 * part / whole}%`;
  frame.hidden = !shape;
  if (shape) {
    const { x, y, w, h } = boundsOf(shape);
    Object.assign(frame.style, { left: share(x, ACROSS), top: share(y, DOWN), width: share(w, ACROSS), height: share(h, DOWN) });
  }
  const usable = { undo: past.length, redo: future.length, copy: shape, remove: shape };
  for (const [name, use] of Object.entries(usable)) $(`[data-do=${name}]`).disabled = !use;
  for (const button of all("[data-tool]")) button.setAttribute("aria-pressed", button.dataset.tool === tool);
  for (const chip of all("[data-kind]")) chip.setAttribute("aria-checked", +chip.dataset.kind === kind);
  document.body.dataset.tool = tool;
}

function speak() {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  document.title = word("title");
  for (const element of all("[data-word]")) element.textContent = word(element.dataset.word);
  for (const element of all("[data-label]")) element.setAttribute("aria-label", word(element.dataset.label));
  $("#classes").innerHTML = NETWORK.palette.map(([name, colour], index) =>
    `<button role="radio" data-kind="${index}"><i style="background: rgb(${colour})"></i>${nameOf(name)}<kbd>${KEYS[index]}</kbd></button>`,
  ).join("");
  say(...message);
}

// ---- the building: one request at a time, and the newest drawing next ----
async function build() {
  stale = true;
  if (busy) return;
  busy = true;
  while (stale) {
    stale = false;
    try {
      await network.ready;
      const start = performance.now(), { data } = coloured(drawing, NETWORK.width, NETWORK.height);
      if (NETWORK.input === "picture" && typeof drawing.ground === "number") { say("awaiting"); continue; }
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
let keeping = 0, mine = null;
function keep() {
  clearTimeout(keeping);
  document.body.dataset.kept = "";
  keeping = setTimeout(async () => {
    const kept = drawing;
    history.replaceState(null, "", mine = `#${await packed(drawing, seed)}`);
    if (kept === drawing) document.body.dataset.kept = "yes";
  }, 250);
}

async function fromAddress(otherwise) {
  if (location.hash === mine) return;
  const known = { drawing: otherwise, seed }, text = location.hash.slice(1);
  const found = text ? await unpacked(text).catch(() => null) : known;
  seed = (found ?? known).seed;
  show((found ?? known).drawing, -1);
  if (!found) say("noDrawing");
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
  const from = boundsOf(shape), away = copied?.index === selected ? [from.x - copied.x, from.y - copied.y] : [0, 0];
  copied = { index: last(), x: from.x, y: from.y };
  edit(withShape(moved(shape, ...(away.some(Boolean) ? away : [STEP, STEP])), last()), last());
}

function travel(from, to) {
  if (!from.length) return;
  to.push(drawing);
  show(from.pop(), -1);
}

const blank = () => LABELS ? fromParts([[1, 0, GRID / 16, GRID / 8, 7 * GRID / 8, 7 * GRID / 8]]) : { ground: 0, shapes: [] };
const commands = {
  undo: () => travel(past, future),
  redo: () => travel(future, past),
  copy: () => selected >= 0 && addCopy(drawing.shapes[selected]),
  remove: () => selected >= 0 && edit({ ...drawing, shapes: drawing.shapes.toSpliced(selected, 1) }, -1),
  wall: () => edit(blank(), -1),
  facade: () => network.facade().then((parts) => edit(fromParts(parts), -1), (error) => say(network.failed, error.message)),
  open: () => $("#file").click(),
  another() { seed = Math.floor(Math.random() * 1e9); show(drawing); },
  language() {
    language = language === "zh" ? "en" : "zh";
    try { localStorage.setItem("language", language); } catch { /* as in words.js */ }
    speak();
    paint();
  },
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
  if (!file) return;
  const picture = new Image(), address = URL.createObjectURL(file);
  try {
    await new Promise((resolve, reject) => Object.assign(picture, { onload: resolve, onerror: reject, src: address }));
    const pixels = picture.naturalWidth * picture.naturalHeight / 1e6;
    if (pixels > MEGAPIXELS) say("tooLarge", file.name, pixels.toFixed(1));
    else edit({ ground: LABELS ? nearest(picture) : picture, shapes: [] }, -1);
  } catch {
    say("noImage", file.name);
  }
  URL.revokeObjectURL(address);
}

// ---- pointers: mouse, touch and pen ----
function pointOf({ clientX, clientY }) {
  const box = view.getBoundingClientRect();
  return [(clientX - box.left) / box.width * ACROSS, (clientY - box.top) / box.height * DOWN];
}

const hit = ([px, py], slack = 2) => drawing.shapes.findLastIndex((shape) => {
  const { x, y, w, h } = boundsOf(shape);
  return px >= x - slack && px <= x + w + slack && py >= y - slack && py <= y + h + slack;
});

// Each begins at a point and gives, for another, the drawing with one change; null: with none yet.
const gestures = {
  rectangle(start) {
    const index = last(), within = (value, most) => Math.round(Math.min(most, Math.max(0, value)));
    return (end) => {
      if (Math.hypot(end[0] - start[0], end[1] - start[1]) < 2) return null;
      const [left, right] = [start[0], end[0]].sort((a, b) => a - b).map((x) => within(x, ACROSS));
      const [top, bottom] = [start[1], end[1]].sort((a, b) => a - b).map((y) => within(y, DOWN));
      selected = index;
      return withShape({ kind, form: 0, x: left, y: top, w: Math.max(1, right - left), h: Math.max(1, bottom - top) }, index);
    };
  },
  brush(start) {
    const index = last(), points = [start.map(Math.round)], r = +$("#size").value;
    return (end) => {
      const [x, y] = end.map(Math.round), [before, above] = points.at(-1);
      if (Math.hypot(x - before, y - above) >= 2) points.push([x, y]);
      return withShape({ kind, form: STROKE, r, points: [...points] }, index);
    };
  },
  select(start, copies) {
    const shape = drawing.shapes[selected], index = copies ? last() : selected;
    return (end) => {
      const [dx, dy] = [Math.round(end[0] - start[0]), Math.round(end[1] - start[1])];
      if (!shape || !(dx || dy)) return null;
      selected = index;
      return withShape(moved(shape, dx, dy), index);
    };
  },
  resize(start, side) {
    const index = selected, shape = drawing.shapes[index], { x, y, w, h } = boundsOf(shape);
    return (end) => {
      const [dx, dy] = [Math.round(end[0] - start[0]), Math.round(end[1] - start[1])];
      const left = side.includes("w") ? Math.min(dx, w - 1) : 0, right = side.includes("e") ? Math.max(dx, 1 - w) : 0;
      const top = side.includes("n") ? Math.min(dy, h - 1) : 0, bottom = side.includes("s") ? Math.max(dy, 1 - h) : 0;
      return withShape(placed(shape, { x: x + left, y: y + top, w: w - left + right, h: h - top + bottom }), index);
    };
  },
};

stage.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary || event.button || NETWORK.input === "picture") return;
  stage.setPointerCapture(event.pointerId);
  const start = pointOf(event), side = event.target.dataset.handle, before = drawing;
  if (tool === "select" && !side) {
    selected = hit(start);
    kind = drawing.shapes[selected]?.kind ?? kind;
  }
  const change = side ? gestures.resize(start, side) : gestures[tool](start, event.altKey);
  const move = (to) => {
    drawing = before;
    return change(to) ?? before;
  };
  gesture = { before, move, click: () => { if (tool === "rectangle" && !side) selected = hit(start); } };
  show(tool === "brush" && !side ? move(start) : before);
});

stage.addEventListener("pointermove", (event) => {
  if (!gesture || !event.isPrimary) return;
  const events = tool === "brush" ? event.getCoalescedEvents?.() ?? [] : [];
  for (const each of [...events, event]) drawing = gesture.move(pointOf(each));
  show(drawing);
});

for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => {
  if (!gesture || !event.isPrimary) return;
  const { before, click } = gesture, next = name === "pointerup" ? drawing : before;
  gesture = null;
  drawing = before;
  if (next !== before) return edit(next);
  click();
  show(before);
});

// ---- buttons, keys, files ----
function save(what) {
  const { width, height } = NETWORK, both = what === "both";
  const canvas = Object.assign(document.createElement("canvas"), { width: both ? 2 * width : width, height });
  const context = canvas.getContext("2d");
  if (what !== "building") context.putImageData(coloured(drawing, width, height), 0, 0);
  if (what !== "drawing") context.drawImage(building, both ? width : 0, 0);
  canvas.toBlob((blob) => {
    const href = URL.createObjectURL(blob);
    Object.assign(document.createElement("a"), { href, download: `${what}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 1000);
  });
}

document.addEventListener("click", ({ target }) => {
  const { dataset } = target.closest("button") ?? target;
  if (dataset.do) commands[dataset.do]();
  if (dataset.tool) choose(dataset.tool);
  if (dataset.kind) chooseKind(+dataset.kind);
  if (dataset.save) save(dataset.save);
});

const withControl = {
  z: commands.undo, y: commands.redo, d: commands.copy,
  c: () => { clip = drawing.shapes[selected]; },
};
const alone = {
  r: () => choose("rectangle"), b: () => choose("brush"), v: () => choose("select"), n: commands.another,
  delete: commands.remove, backspace: commands.remove, escape: () => show(drawing, -1),
};
function actionOf({ key, code, shiftKey, ctrlKey, metaKey, altKey, target }) {
  const name = key.toLowerCase(), shape = drawing.shapes[selected], step = shiftKey ? STEP : 1;
  const digit = KEYS.indexOf({ Minus: "-", Equal: "=" }[code] ?? (code.replace(/^Digit/, "") || "none"));
  if ((ctrlKey || metaKey) && name === "c" && !shape) return null;
  if (ctrlKey || metaKey) return name === "z" && shiftKey ? commands.redo : withControl[name];
  if (altKey || (target.type === "range" && key in ARROWS)) return null;
  if (key in ARROWS && shape) return () => edit(withShape(moved(shape, ...ARROWS[key].map((way) => way * step)), selected));
  return digit >= 0 && digit < PALETTE.length ? () => chooseKind(digit) : alone[name];
}
document.addEventListener("keydown", (event) => {
  const action = gesture ? null : actionOf(event);
  if (!action) return;
  event.preventDefault();
  action();
});

for (const name of ["dragover", "dragleave", "drop"]) document.addEventListener(name, (event) => {
  event.preventDefault();
  document.body.classList.toggle("dropping", name === "dragover");
  if (name === "drop") openPicture(event.dataTransfer.files[0]);
});
document.addEventListener("paste", ({ clipboardData }) => {
  if (clipboardData?.files[0]) openPicture(clipboardData.files[0]);
  else if (clip) addCopy(clip);
});
$("#file").addEventListener("change", ({ target }) => openPicture(target.files[0]).then(() => { target.value = ""; }));
window.addEventListener("hashchange", () => fromAddress(drawing));

// ---- the beginning ----
document.body.dataset.input = NETWORK.input;
document.body.classList.toggle("quiet", !Object.keys(NETWORK.masks).length);
document.documentElement.style.setProperty("--proportion", NETWORK.width / NETWORK.height);
$("#name").textContent = NETWORK.name;
frame.innerHTML = ["nw", "n", "ne", "e", "se", "s", "sw", "w"].map((side) => `<b data-handle="${side}"></b>`).join("");
Object.assign(view, { width: 2 * ACROSS, height: 2 * DOWN });
Object.assign(building, { width: NETWORK.width, height: NETWORK.height });
if (!LABELS) $("#size").value = 1;
speak();
fromAddress(LABELS ? fromParts(NETWORK.facades[0]) : blank());
