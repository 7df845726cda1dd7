// Shows what page.py has put into this file, and looks at the file again while a run goes on.
const CHINESE = {
  "epoch {}": "第 {} 轮", "epoch {} of {}": "第 {} 轮，共 {} 轮", "play": "播放", "pause": "暂停",
  "finished": "训练完成", "running": "训练中", "running, about {} left": "训练中，约剩 {}", "cycle": "循环一致性",
  "no new epoch for {}: interrupted?": "{}没有新的一轮：是否已中断？", "default": "默认值", "ended early": "提前结束",
  "trained on different data, so the held-out images are not the same": "训练数据不同，留出图像也不同",
  "model": "模型", "data": "数据", "device": "设备", "each epoch": "每轮用时", "altogether": "总用时",
  "all settings": "全部设置", "h": "小时", "min": "分", "s": "秒", "losses": "损失", "other losses": "其他损失",
  "input, generated and target images": "输入（input）、生成（generated）和目标（target）图像",
  "images of A, translated to B and back; images of B, translated to A and back":
    "A 的图像、转换到 B、再转换回来；B 的图像、转换到 A、再转换回来",
  "generated images, where conditional a column for each class": "生成图像；条件 GAN 每个类别一列",
  "sources above, references on the left, each source in each reference's style":
    "上方为源图像（source），左侧为参考图像（reference），其余为各源图像换成各参考图像的风格",
  "adversarial losses": "对抗损失", "there and back, L1": "往返 L1", "training": "训练", "style": "风格",
  "L1, of values in [-1, 1]": "L1（取值在 [-1, 1]）", "held out": "留出图像", "diversity": "多样性",
  "held out, L1 to the partner": "留出图像到配对图像的 L1", "A to B": "A 到 B", "B to A": "B 到 A",
  "held-out SSIM": "留出图像 SSIM", "held-out PSNR": "留出图像 PSNR", "held-out KID": "留出图像 KID",
  "D, real": "判别器，真实图像", "D, generated": "判别器，生成图像", "G, adversarial": "生成器，对抗", "g": "生成器",
  "d_real": "判别器，真实图像", "d_fake": "判别器，生成图像", "D, of A": "判别器 A", "D, of B": "判别器 B",
  "G, of A": "生成器 A", "G, of B": "生成器 B", "identity a": "同一性 A", "identity b": "同一性 B",
  "training A": "训练 A", "held-out A": "留出 A", "training B": "训练 B", "held-out B": "留出 B",
};
const at = (id) => document.getElementById(id);
const made = (tag, properties, ...inside) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside);
  return element;
};
const say = (words, ...values) =>
  values.reduce((text, value) => text.replace("{}", value), (chinese && CHINESE[words]) || words);
const longest = (epochs) => Math.max(...data.runs.map(epochs));
const newest = () => longest((run) => run.last);

let text = at("data").textContent, modified = Date.parse(document.lastModified);
let data = JSON.parse(text), playing = 0, looking = 0;
const [, noted, language] = location.hash.match(/^#(\d*)(en|zh)$/) || [];
let chinese = (language || navigator.language).startsWith("zh");
let epoch = noted ? Number(noted) : newest();

function duration(seconds) {
  if (seconds < 90) return `${Number(seconds.toPrecision(2))} ${say("s")}`;
  const minutes = Math.round(seconds / 60), hours = Math.floor(minutes / 60);
  return `${hours ? `${hours} ${say("h")} ` : ""}${minutes % 60} ${say("min")}`;
}

function state({ config, last, each }) {
  const left = config.epochs - last, age = (Date.now() - modified) / 1000;
  if (!left) return say("finished");
  if (!data.live) return say("ended early");
  const late = age > (each ? Math.max(120, 3 * each) : 3600);
  if (late) return say("no new epoch for {}: interrupted?", duration(age));
  if (!each) return say("running");
  return say("running, about {} left", duration(Math.max(1, left * each - age)));
}

function show(wanted) {
  epoch = Math.max(0, Math.min(wanted, newest()));
  at("slider").value = epoch;
  at("epoch").textContent = say("epoch {} of {}", epoch, longest((run) => run.config.epochs));
  document.querySelectorAll("figure").forEach((figure, number) => {
    const { name, grids } = data.runs[number];
    const [below, above] = figure.querySelectorAll("img");
    const grid = grids.findLast((each) => each.epoch <= epoch) || grids[0];
    below.src = (grid.whole ? grid : grids[0]).webp;
    above.src = grid.webp; // what differs from the first
    figure.querySelector("b").textContent = `${name}, ${say("epoch {}", grid.epoch)}: `;
  });
  const [from, to] = data.axes, place = from + ((to - from) * epoch) / Math.max(1, newest());
  for (const mark of document.querySelectorAll(".plot > i")) mark.style.left = `${100 * place}%`;
  for (const value of document.querySelectorAll(".curve > b")) {
    const number = value.values[epoch];
    value.textContent = number == null ? "–" : Number(number.toPrecision(3));
  }
  location.replace(`#${epoch < newest() ? epoch : ""}${chinese ? "zh" : "en"}`);
}

function play(on) {
  clearInterval(playing);
  const next = () => { show(epoch + 1); if (epoch >= newest()) play(false); };
  if (on && epoch === newest()) show(0);
  playing = on ? setInterval(next, Math.min(500, 20000 / newest())) : 0;
  Object.assign(at("play"), { textContent: on ? "❚❚" : "▶", title: say(on ? "pause" : "play") });
}

function figure(run) {
  const below = made("img", { alt: "" }), above = made("img", { alt: say(run.shows) });
  const frame = made("div", { className: "picture" }, made("div", {}, below, above));
  below.onload = () => frame.classList.toggle("wide", below.naturalWidth > 2 * below.naturalHeight);
  return made("figure", {}, frame, made("figcaption", {}, made("b"), say(run.shows)));
}

function panel({ title, lines, svg }) {
  const plot = made("div", { className: "plot", innerHTML: svg });
  plot.append(made("i"));
  const curves = lines.map(({ label, colour, values }) => {
    const curve = made("div", { className: "curve" }, say(label), made("b", { values }));
    curve.style.setProperty("--colour", `var(--0${colour})`);
    return curve;
  });
  const heading = made("h2", {}, [...new Set(title)].map((part) => say(part)).join(": "));
  return made("div", {}, heading, plot, ...curves);
}

function table(names, columns) {
  const row = (cells, tag) => made("tr", {}, ...cells.map((cell) => made(tag, {}, cell ?? "–")));
  const rows = names.map((name) => row([name, ...columns.map((each) => each[name])], "td"));
  return made("table", {}, row(["", ...columns.map((each) => each.name)], "th"), ...rows);
}

function tables() { // what is known of the runs; the settings that differ; all settings
  const facts = data.runs.map((run) => ({
    "name": run.name, [say("model")]: run.config.model, [say("data")]: run.data,
    [say("device")]: run.device, [say("each epoch")]: duration(run.each),
    [say("altogether")]: duration(run.altogether),
  }));
  const columns = data.runs.map(({ name, config }) => ({ name, ...config }));
  if (columns.length === 1) columns.unshift({ name: say("default"), ...data.runs[0].defaults });
  const [, ...settings] = Object.keys(Object.assign({}, ...columns));
  const differs = (name) => new Set(columns.map((each) => String(each[name]))).size > 1;
  return [
    made("div", {}, table(Object.keys(facts[0]).slice(1), facts)),
    made("div", {}, table(settings.filter(differs), columns)),
    made("details", {}, made("summary", {}, say("all settings")), table(settings, columns)),
  ];
}

function build(inChinese = chinese) {
  chinese = inChinese;
  document.documentElement.lang = chinese ? "zh-Hans" : "en";
  document.body.className = data.runs.length > 1 ? "several" : "one";
  document.title = at("title").textContent = data.runs.map((run) => run.name).join(", ");
  at("language").textContent = chinese ? "English" : "中文";
  at("slider").max = newest();
  at("runs").replaceChildren(...data.runs.map(figure));
  at("panels").replaceChildren(...data.panels.map(panel));
  at("tables").replaceChildren(...tables());
  const lines = data.runs.flatMap(({ name, warnings }) => warnings.map((it) => `${name}: ${it}`));
  if (data.runs.some((run) => run.fingerprint !== data.runs[0].fingerprint)) {
    lines.push(say("trained on different data, so the held-out images are not the same"));
  }
  at("warnings").replaceChildren(...(lines.length ? [made("p", {}, lines.join("\n"))] : []));
  play(playing);
  show(epoch);
  look();
}

function look() { // again at this file, in a frame that sends what it finds
  at("state").textContent = data.runs.map(state).join(", ");
  clearTimeout(looking);
  if (!data.live) return;
  at("again").replaceWith(made("iframe", { id: "again", hidden: true, src: "?look" }));
  looking = setTimeout(look, 2000 + 100 * Math.min(100, data.runs[0].each));
}

onmessage = ({ source, data: found }) => {
  if (source !== at("again").contentWindow) return;
  const follows = epoch === newest(), changed = found.text !== text;
  ({ text, modified } = found);
  data = JSON.parse(text);
  if (follows) epoch = newest();
  if (changed) build();
};
onkeydown = (key) => {
  const places = { ArrowLeft: epoch - 1, ArrowRight: epoch + 1, Home: 0, End: newest() };
  if (!(key.key in places) || key.altKey || key.ctrlKey || key.metaKey) return;
  key.preventDefault();
  play(false);
  show(places[key.key]);
};
at("language").onclick = () => build(!chinese);
at("play").onclick = () => play(!playing);
at("slider").oninput = () => { play(false); show(Number(at("slider").value)); };
if (location.search === "?look") parent.postMessage({ text, modified }, location.protocol === "file:" ? "*" : location.origin);
else build();
