// A drawing: a ground, and shapes on it, in whole numbers on a grid of 256 along the longer side.
// It is never changed: an edit makes another, so that undo is a list.
// Ground: a class, a class for every point of the grid (Uint8Array), or a picture (an image).
// Shape: { kind: class, form, x, y, w, h } or, as a stroke, { kind, form: STROKE, r, points }.
const GRID = 256, LONGER = Math.max(NETWORK.width, NETWORK.height);
const ACROSS = Math.round(GRID * NETWORK.width / LONGER), DOWN = Math.round(GRID * NETWORK.height / LONGER);
const PALETTE = NETWORK.palette.map(([, colour]) => colour), SEE_THROUGH = 255;
// As pix2pix_ms/data/facades/geometry.py has them: u from the axis, v from the top, both 0 to 1.
const FORMS = [
  null,  // a box
  (u, v, width, height) => {
    const rise = Math.min(width / 2, 0.45 * height) / height;
    return u ** 2 + Math.max(1 - v / rise, 0) ** 2 <= 1;
  },
  (u, v) => u ** 2 + (1 - v) ** 2 <= 1,
  (u, v) => u <= v,
  (u, v) => u ** 2 + (2 * v - 1) ** 2 <= 1,
  (u, v) => u <= 0.9 + 0.1 * v,
];
const STROKE = FORMS.length, MOST_SHAPES = 5000;

const fromParts = (parts) => ({
  ground: 0,
  shapes: parts.map(([kind, form, x, y, w, h]) => ({
    kind, form, x: Math.round(x * ACROSS / GRID), y: Math.round(y * DOWN / GRID),
    w: Math.max(1, Math.round(w * ACROSS / GRID)), h: Math.max(1, Math.round(h * DOWN / GRID)),
  })),
});

// The class of every pixel, row by row.
function raster({ ground, shapes }, width, height) {
  const classes = new Uint8Array(width * height), across = width / ACROSS, down = height / DOWN;
  if (typeof ground === "number") classes.fill(ground);
  else if (!(ground instanceof Uint8Array)) classes.fill(SEE_THROUGH);
  else for (let y = 0, at = 0; y < height; y++) {
    const row = ACROSS * Math.floor((y + 0.5) / down);
    for (let x = 0; x < width; x++) classes[at++] = ground[row + Math.floor((x + 0.5) / across)];
  }
  for (const shape of shapes) (shape.form === STROKE ? brush : fill)(shape);
  return classes;

  function fill({ kind, form, x, y, w, h }) {
    const left = Math.round(x * across), right = Math.max(left + 1, Math.round((x + w) * across));
    const top = Math.round(y * down), bottom = Math.max(top + 1, Math.round((y + h) * down));
    const from = Math.max(left, 0), to = Math.min(right, width);
    for (let row = Math.max(top, 0); row < Math.min(bottom, height) && from < to; row++) {
      if (!FORMS[form]) { classes.fill(kind, row * width + from, row * width + to); continue; }
      const v = (row - top + 0.5) / (bottom - top);
      for (let column = from; column < to; column++) {
        const u = Math.abs(2 * (column - left + 0.5) / (right - left) - 1);
        if (FORMS[form](u, v, right - left, bottom - top)) classes[row * width + column] = kind;
      }
    }
  }

  function brush({ kind, r, points }) {
    points.forEach(([ax, ay], index) => {
      const [bx, by] = points[index + 1] ?? [ax, ay], length = (bx - ax) ** 2 + (by - ay) ** 2;
      const [left, right] = [(Math.min(ax, bx) - r) * across, (Math.max(ax, bx) + r) * across];
      const [top, bottom] = [(Math.min(ay, by) - r) * down, (Math.max(ay, by) + r) * down];
      for (let row = Math.max(0, Math.floor(top)); row < Math.min(height, bottom); row++) {
        for (let column = Math.max(0, Math.floor(left)); column < Math.min(width, right); column++) {
          const px = (column + 0.5) / across - ax, py = (row + 0.5) / down - ay;
          const along = length ? Math.min(1, Math.max(0, (px * (bx - ax) + py * (by - ay)) / length)) : 0;
          const away = Math.hypot(px - along * (bx - ax), py - along * (by - ay));
          if (away <= r) classes[row * width + column] = kind;
        }
      }
    });
  }
}

// The drawing in its colours, as ImageData.
function coloured(drawing, width, height) {
  const { ground } = drawing, classes = raster(drawing, width, height);
  const image = ground instanceof HTMLImageElement ? pixelsOf(ground, width, height) : new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = PALETTE.map(([r, g, b]) => (255 << 24 | b << 16 | g << 8 | r) >>> 0);
  for (let at = 0; at < classes.length; at++) if (classes[at] !== SEE_THROUGH) pixels[at] = colours[classes[at]];
  return image;
}

// A picture as the network sees it: squeezed, or its middle, over white; label maps without blending.
function pixelsOf(picture, width, height, blends = true) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true }), { naturalWidth, naturalHeight } = picture;
  const scale = Math.min(naturalWidth / width, naturalHeight / height);
  const [w, h] = NETWORK.squeezes ? [naturalWidth, naturalHeight] : [width * scale, height * scale];
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  Object.assign(context, { imageSmoothingEnabled: blends, imageSmoothingQuality: "high" });
  context.drawImage(picture, (naturalWidth - w) / 2, (naturalHeight - h) / 2, w, h, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

// The class with the nearest colour, for every point of the grid.
function nearest(picture) {
  const { data } = pixelsOf(picture, ACROSS, DOWN, false);
  return Uint8Array.from({ length: ACROSS * DOWN }, (_, at) => {
    const far = PALETTE.map(([r, g, b]) => (r - data[4 * at]) ** 2 + (g - data[4 * at + 1]) ** 2 + (b - data[4 * at + 2]) ** 2);
    return far.indexOf(Math.min(...far));
  });
}

// Where a shape is, and the same shape elsewhere, larger or smaller.
function boundsOf(shape) {
  if (shape.form !== STROKE) return shape;
  const xs = shape.points.map(([x]) => x), ys = shape.points.map(([, y]) => y);
  const x = Math.min(...xs) - shape.r, y = Math.min(...ys) - shape.r;
  return { x, y, w: Math.max(...xs) + shape.r - x, h: Math.max(...ys) + shape.r - y };
}

function placed(shape, { x, y, w, h }) {
  if (shape.form !== STROKE) return { ...shape, x, y, w, h };
  const was = boundsOf(shape), r = shape.r;
  const grown = (size, wanted) => size > 2 * r ? Math.max(0, wanted - 2 * r) / (size - 2 * r) : 1;
  const across = grown(was.w, w), down = grown(was.h, h);
  const scaled = ([px, py]) => [x + r + (px - was.x - r) * across, y + r + (py - was.y - r) * down];
  return { ...shape, points: shape.points.map((point) => scaled(point).map(Math.round)) };
}

const moved = (shape, dx, dy, { x, y, w, h } = boundsOf(shape)) => placed(shape, { x: x + dx, y: y + dy, w, h });

// A drawing as text for an address, and back. A picture that is no label map stays out of it.
async function packed({ ground, shapes }, seed) {
  const text = (numbers, from) => Array.from(numbers, (number) => String.fromCharCode(from + number)).join("");
  const base = ground instanceof Uint8Array ? text(ground, 97) : typeof ground === "number" ? ground : 0;
  const step = ([x, y], at, points) => at ? [x - points[at - 1][0], y - points[at - 1][1]] : [x, y];
  const rows = shapes.map(({ kind, form, x, y, w, h, r, points }) =>
    form === STROKE ? [kind, form, r, ...points.flatMap(step)] : [kind, form, x, y, w, h]);
  const packing = new CompressionStream("deflate-raw");
  const stream = new Blob([JSON.stringify([seed, base, rows])]).stream().pipeThrough(packing);
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  return btoa(text(bytes, 0)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const [seed, base, rows] = JSON.parse(await new Response(stream).text());
  const check = (holds) => { if (!holds) throw new Error("no drawing"); };
  const known = (kind) => Number.isInteger(kind) && kind >= 0 && kind < PALETTE.length;
  const ground = typeof base === "string" ? Uint8Array.from(base, (sign) => sign.charCodeAt(0) - 97) : base;
  check(Number.isSafeInteger(seed) && seed >= 0 && rows.length <= MOST_SHAPES);
  check(typeof ground === "number" ? known(ground) : ground.length === ACROSS * DOWN && ground.every(known));
  return { seed, drawing: { ground, shapes: rows.map(shapeOf) } };

  function shapeOf([kind, form, ...numbers]) {
    check(known(kind) && form >= 0 && form <= STROKE && numbers.every((n) => Number.isInteger(n) && Math.abs(n) < 1e4));
    if (form !== STROKE) {
      const [x, y, w, h] = numbers;
      check(numbers.length === 4 && w > 0 && h > 0);
      return { kind, form, x, y, w, h };
    }
    const [r, ...steps] = numbers, points = [];
    check(r > 0 && steps.length >= 2 && steps.length % 2 === 0);
    for (let x = 0, y = 0, at = 0; at < steps.length; at += 2) points.push([x += steps[at], y += steps[at + 1]]);
    return { kind, form, r, points };
  }
}
