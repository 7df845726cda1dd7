// The network behind a server: rows of RGBA bytes in, and out.
async function answerTo(address, options) {
  const answer = await fetch(address, options);
  if (answer.ok) return answer;
  throw new Error(await answer.text());
}

const network = {
  ready: Promise.resolve(),
  failed: "noAnswer",
  async generate(body, seed) {
    const headers = { "Content-Type": "application/octet-stream" };
    const answer = await answerTo(`building?seed=${seed}`, { method: "POST", headers, body });
    return new Uint8ClampedArray(await answer.arrayBuffer());
  },
  facade: async () => (await answerTo(`facade?seed=${Math.floor(Math.random() * 1e6)}`)).json(),
};
