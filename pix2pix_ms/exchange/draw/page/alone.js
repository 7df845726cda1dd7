// The network in this file, run by onnxruntime's WebAssembly in a worker.
function work() {
  let ort, session, facts;

  function inflate(text) {
    const signs = atob(text), bytes = new Uint8Array(signs.length);
    for (let at = 0; at < signs.length; at++) bytes[at] = signs.charCodeAt(at);
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  }

  async function load({ network, runtime, wasm, model }) {
    facts = network;
    ort = await import(URL.createObjectURL(new Blob([await inflate(runtime)], { type: "text/javascript" })));
    Object.assign(ort.env.wasm, { numThreads: 1, wasmBinary: await inflate(wasm) });
    const extra = { session: { disable_quant_qdq: "1" } };  // kernels become floats once, not every time
    session = await ort.InferenceSession.create(await inflate(model), { extra });
  }

  function masksOf(seed) {
    const masks = {};
    for (const [name, shape] of Object.entries(facts.masks)) {
      const mask = new Float32Array(shape.reduce((a, b) => a * b));
      for (let at = 0; at < mask.length; at++) {  // mulberry32
        seed = seed + 0x6D2B79F5 | 0;
        let mixed = Math.imul(seed ^ seed >>> 15, 1 | seed);
        mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
        mask[at] = 2 * ((mixed ^ mixed >>> 14) >>> 31);
      }
      masks[name] = new ort.Tensor("float32", mask, shape);
    }
    return masks;
  }

  async function generate({ pixels, seed }) {
    const { width, height, channels } = facts, plane = width * height, input = new Float32Array(channels * plane);
    for (let at = 0; at < plane; at++) {
      const [r, g, b] = pixels.subarray(4 * at);
      const grey = 19595 * r + 38470 * g + 7471 * b + 32768 >> 16;  // as Pillow's
      const values = channels < 3 ? [grey, 255] : [r, g, b, 255];
      for (let channel = 0; channel < channels; channel++) input[channel * plane + at] = values[channel] / 127.5 - 1;
    }
    const image = new ort.Tensor("float32", input, [1, channels, height, width]);
    const { generated_image: { data, dims } } = await session.run({ input_image: image, ...masksOf(seed) });
    const made = new Uint8ClampedArray(4 * plane).fill(255);  // which rounds
    for (let at = 0; at < plane; at++) for (let colour = 0; colour < 3; colour++) {
      made[4 * at + colour] = (data[(dims[1] < 3 ? 0 : colour) * plane + at] + 1) * 127.5;
    }
    return made;
  }

  onmessage = ({ data }) => (data.model ? load : generate)(data).then(
    (result) => postMessage({ result }), (error) => postMessage({ error: String(error.message ?? error) }));
}

const worker = new Worker(URL.createObjectURL(new Blob([`(${work})()`], { type: "text/javascript" })));
const asked = (message) => new Promise((resolve, reject) => {
  worker.onmessage = ({ data }) => "error" in data ? reject(new Error(data.error)) : resolve(data.result);
  worker.onerror = ({ message: reason }) => reject(new Error(reason));
  worker.postMessage(message);
});
const [runtime, wasm, model] = ["runtime", "wasm", "model"].map((id) => document.getElementById(id).textContent);
let turn = 0;

const network = {
  ready: asked({ network: NETWORK, runtime, wasm, model }),
  failed: "noRun",
  generate: (pixels, seed) => asked({ pixels, seed }),
  facade: async () => NETWORK.facades[++turn % NETWORK.facades.length],
};
