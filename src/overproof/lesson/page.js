"use strict";
/* The controls. float32 arithmetic is that of numpy: every operation is rounded by Math.fround. */

const data = JSON.parse(document.getElementById("data").textContent);
const f = Math.fround;
const at = (id) => document.getElementById(id);
const sum = (values) => values.reduce((a, b) => a + b, 0);

/* ---- arithmetic: scores.py ---- */

function softened(z, t) {
  const scaled = z.map((x) => x / t);
  const top = Math.max(...scaled);
  return scaled.map((x) => x - top);
}

function softmax(z, t) {
  const e = softened(z, t).map(Math.exp);
  const total = sum(e);
  return e.map((x) => f(x / total));
}

function logSoftmax(z, t) {
  const s = softened(z, t);
  const log = Math.log(sum(s.map(Math.exp)));
  return s.map((x) => x - log);
}

const entropy = (p) => -sum(p.map((x) => x * Math.log2(x > 0 ? x : 1)));

function distillation(student, teacher, t) {
  const s = logSoftmax(student, t), z = logSoftmax(teacher, t);
  const plain = sum(z.map((x, i) => Math.exp(x) * (x - s[i])));
  const gradient = z.map((x, i) => t * (Math.exp(s[i]) - Math.exp(x)));
  return { plain, loss: plain * t * t, gradient, length: Math.hypot(...gradient) };
}

/* ---- arithmetic: affine/grid.py and affine/cost.py ---- */

function rint(x) {
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

const clip = (x, low, high) => Math.min(Math.max(x, low), high);

function limits({ bits, symmetric, signed }) {
  const half = 2 ** (bits - 1);
  if (symmetric) {
    const middle = signed ? 0 : half;
    return [middle - half + 1, middle + half - 1];
  }
  return signed ? [-half, half - 1] : [0, 2 * half - 1];
}

function gridOf(low, high, scheme) {
  const [qmin, qmax] = limits(scheme);
  low = Math.min(low, 0);
  high = Math.max(high, 0);
  let scale, zero;
  if (scheme.symmetric) {
    zero = (qmin + qmax) / 2;
    scale = f(Math.max(-low, high) / (qmax - zero));
  } else {
    scale = f(f(high - low) / (qmax - qmin));
    zero = clip(rint(f(qmin - f(low / scale))), qmin, qmax);
  }
  return { scale, zero, qmin, qmax, low: f((qmin - zero) * scale), high: f((qmax - zero) * scale) };
}

function fit(values, scheme, share) {
  return gridOf(f(Math.min(...values) * f(share)), f(Math.max(...values) * f(share)), scheme);
}

const quantize = (x, g) => clip(rint(f(x / g.scale)) + g.zero, g.qmin, g.qmax);
const dequantize = (q, g) => f((q - g.zero) * g.scale);

function onGrid(scheme, share, perRow) {
  const rows = data.weights;
  const whole = fit(rows.flat(), scheme, share);
  const grids = perRow ? rows.map((row) => fit(row, scheme, share)) : [whole];
  const values = rows.flatMap((row, r) => row.map((x) => {
    const grid = grids[perRow ? r : 0];
    const q = quantize(x, grid), back = dequantize(q, grid), error = Math.abs(back - x);
    const half = grid.scale / 2; // not rounded to float32: the cost is counted in doubles
    const outside = x < grid.low - half || x > grid.high + half;
    return { x, q, back, error, relative: x ? error / Math.abs(x) : error, row: r, grid, outside };
  }));
  const noise = sum(values.map((v) => v.error * v.error)), signal = sum(values.map((v) => v.x * v.x));
  const present = values.filter((v) => v.x !== 0);
  const packed = (count) => Math.ceil((count * scheme.bits) / 8);
  return {
    grids, values,
    maxError: Math.max(...values.map((v) => v.error)),
    sqnr: noise && signal ? 10 * Math.log10(signal / noise) : null,
    lost: present.filter((v) => v.back === 0).length / present.length,
    saturated: values.filter((v) => v.outside).length / values.length,
    before: 4 * values.length,
    after: packed(values.length) + 4 * grids.length + packed(grids.length),
  };
}

/* ---- the page: text only ever goes in as text ---- */

function put(id, value, text) {
  const place = at(id);
  place.textContent = text;
  place.dataset.value = String(value);
}

function tableRow(body, cells) {
  const row = body.insertRow();
  for (const [id, value, text, under] of cells) {
    const cell = row.insertCell();
    cell.textContent = text ?? value;
    if (under) cell.append(under);
    if (id) { cell.id = id; cell.dataset.value = String(value); }
  }
}

function emptied(id) {
  const body = at(id).tBodies[0];
  body.replaceChildren();
  return body;
}

function bar(share, kind) {
  const element = document.createElement("div");
  element.className = "bar " + kind;
  element.style.width = 100 * share + "%";
  return element;
}

function drawing(id, height, label) {
  const place = at(id), width = Math.max(place.clientWidth, 200);
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": label });
  place.replaceChildren(svg);
  const add = (name, attributes, text) => {
    const child = element(name, attributes);
    if (text !== undefined) child.textContent = text;
    svg.append(child);
    return child;
  };
  return { width, add };
}

function element(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const number = (id) => Number(at(id).value);
const signed = (x) => (x < 0 ? "" : "+") + x.toFixed(4);

function showTemperature() {
  const t = number("temperature"), teacher = data.logits[at("packet").selectedIndex];
  const student = data.classes.map((_, i) => number("student-" + i));
  const p = softmax(teacher, t), s = softmax(student, t), found = distillation(student, teacher, t);
  put("temperature-value", t, t.toFixed(1));
  const body = emptied("softened");
  data.classes.forEach((name, i) => {
    put(`student-${i}-value`, student[i], student[i].toFixed(1));
    tableRow(body, [
      [null, name],
      ["p-" + i, p[i], p[i].toFixed(4), bar(p[i], "teacher")],
      ["s-" + i, s[i], s[i].toFixed(4), bar(s[i], "student")],
      ["gradient-" + i, found.gradient[i], signed(found.gradient[i])],
    ]);
  });
  put("entropy", entropy(p), entropy(p).toFixed(4));
  put("student-entropy", entropy(s), entropy(s).toFixed(4));
  put("loss", found.loss, found.loss.toFixed(5));
  put("plain", found.plain, found.plain.toFixed(5));
  put("length", found.length, found.length.toFixed(4));
}

function showGrid() {
  const scheme = { bits: number("bits"), symmetric: at("scheme").value === "symmetric", signed: at("signed").checked };
  const perRow = at("per-row").checked, percent = number("share"), zoom = number("zoom");
  const on = onGrid(scheme, percent / 100, perRow);
  put("bits-value", scheme.bits, scheme.bits);
  put("share-value", percent, percent + " %");
  put("zoom-value", zoom, zoom + " ×");
  const grids = emptied("grids"), errors = emptied("errors");
  on.grids.forEach((g, k) => tableRow(grids, [
    [null, perRow ? "row " + (k + 1) : "all"], ["scale-" + k, g.scale, g.scale.toFixed(6)], ["zero-" + k, g.zero],
    ["low-" + k, g.low, g.low.toFixed(4)], ["high-" + k, g.high, g.high.toFixed(4)],
  ]));
  on.values.forEach((v, k) => tableRow(errors, [
    [null, v.x.toFixed(3)], ["q-" + k, v.q], ["back-" + k, v.back, v.back.toFixed(6)],
    ["error-" + k, v.error, v.error.toFixed(6)], ["relative-" + k, v.relative, (100 * v.relative).toFixed(3) + " %"],
  ]));
  put("bytes", on.after, on.after);
  put("bytes-before", on.before, on.before);
  put("saved", 1 - on.after / on.before, (100 * (1 - on.after / on.before)).toFixed(0) + " %");
  put("max-error", on.maxError, on.maxError.toFixed(6));
  put("sqnr", on.sqnr, on.sqnr === null ? "" : on.sqnr.toFixed(1));
  put("saturated", on.saturated, (100 * on.saturated).toFixed(0) + " %");
  put("lost", on.lost, (100 * on.lost).toFixed(0) + " %");
  drawGrid(on, zoom);
}

function drawGrid(on, zoom) {
  const low = Math.min(...on.grids.map((g) => g.low), ...on.values.map((v) => v.x)) / zoom;
  const high = Math.max(...on.grids.map((g) => g.high), ...on.values.map((v) => v.x)) / zoom;
  const tall = 72, { width, add } = drawing("picture", tall * on.grids.length, "Weights and the lines of the grid");
  const place = (x) => 12 + ((x - low) / (high - low)) * (width - 24);
  const seen = (x) => x >= low && x <= high;
  on.grids.forEach((g, k) => {
    const y = tall * k + 44, pitch = place(g.scale) - place(0);
    add("line", { x1: place(Math.max(g.low, low)), x2: place(Math.min(g.high, high)), y1: y, y2: y, class: "ink" });
    for (let q = g.qmin; q <= g.qmax; q++) {
      const x = dequantize(q, g);
      if (!seen(x)) continue;
      const half = q === g.zero ? 12 : 6;
      const kind = q === g.zero ? "ink" : pitch < 3 ? "faint" : "rule";
      add("line", { x1: place(x), x2: place(x), y1: y - half, y2: y + half, class: kind });
    }
    on.values.filter((v) => v.grid === g && seen(v.x)).forEach((v) => {
      add("line", { x1: place(v.x), y1: y - 28, x2: place(clip(v.back, low, high)), y2: y, class: "moves" });
      add("circle", { cx: place(v.x), cy: y - 28, r: 4.5, class: "weight" });
    });
    add("text", { x: 12, y: y + 24 }, low.toFixed(3));
    add("text", { x: width - 12, y: y + 24, class: "end" }, high.toFixed(3));
    add("text", { x: place(0), y: y + 24, class: "middle" }, "0.0 is " + g.zero);
  });
}

function showScatter() {
  const upward = at("upward").value, other = upward === "ms" ? "accuracy" : "ms";
  const height = 300, { width, add } = drawing("scatter", height, "Size across, " + upward + " upward");
  const drawn = data.points.filter((p) => p.bytes !== null && p.ms !== null && p.accuracy !== null);
  if (!drawn.length) return;
  const scale = (name, from, to) => {
    const log = name !== "accuracy", view = (v) => (log ? Math.log10(v) : v);
    const values = drawn.map((p) => view(p[name]));
    let low = Math.min(...values), high = Math.max(...values);
    const spare = 0.05 * (high - low) || 0.5;
    low -= spare;
    high += spare;
    const place = (v) => from + ((view(v) - low) / (high - low)) * (to - from);
    const ticks = [];
    const parts = high - low < 2 ? [1, 2, 5] : [1];
    if (log) for (let e = Math.floor(low); e <= high; e++) ticks.push(...parts.map((part) => part * 10 ** e));
    else for (let k = 0; k <= 4; k++) ticks.push(low + ((high - low) * k) / 4);
    return { place, ticks: ticks.filter((v) => view(v) >= low && view(v) <= high) };
  };
  const x = scale("bytes", 80, width - 30), y = scale(upward, height - 60, 30), area = scale(other, 11, 20);
  for (const tick of x.ticks) {
    add("line", { x1: x.place(tick), x2: x.place(tick), y1: 12, y2: height - 36, class: "faint" });
    add("text", { x: x.place(tick), y: height - 20, class: "middle" }, size(tick));
  }
  for (const tick of y.ticks) {
    add("line", { x1: 56, x2: width - 8, y1: y.place(tick), y2: y.place(tick), class: "faint" });
    const text = upward === "ms" ? Number(tick.toPrecision(1)) + " ms" : (100 * tick).toFixed(1) + " %";
    add("text", { x: 52, y: y.place(tick) + 4, class: "end" }, text);
  }
  const marks = data.points.map((p, k) => ({ p, k })).filter(({ p }) => drawn.includes(p));
  marks.sort((a, b) => area.place(b.p[other]) - area.place(a.p[other]));
  for (const { p, k } of marks) {
    const cx = x.place(p.bytes), cy = y.place(p[upward]), r = area.place(p[other]);
    const shape = p.own
      ? add("rect", { x: cx - r, y: cy - r, width: 2 * r, height: 2 * r, rx: 3, class: "own", id: "mark-" + k })
      : add("circle", { cx, cy, r, class: "tutorial", id: "mark-" + k });
    shape.append(titled(p.name));
    add("text", { x: cx, y: cy, class: "mark" }, k + 1);
  }
}

function titled(text) {
  const title = element("title", {});
  title.textContent = text;
  return title;
}

function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let k = 0;
  while (bytes >= 1000 && k < units.length - 1) { bytes /= 1000; k++; }
  return Number(bytes.toPrecision(3)) + " " + units[k];
}

function listPoints() {
  const body = emptied("points"), none = "not measured";
  data.points.forEach((p, k) => tableRow(body, [
    [null, k + 1], [`name-${k}`, p.name],
    [`bytes-${k}`, p.bytes, p.bytes === null ? none : p.bytes.toLocaleString("en")],
    [`ms-${k}`, p.ms, p.ms === null ? none : String(Number(p.ms.toPrecision(3)))],
    [`accuracy-${k}`, p.accuracy, p.accuracy === null ? none : (100 * p.accuracy).toFixed(2) + " %"],
  ]));
}

function start() {
  for (const packet of data.packets) at("packet").add(new Option(packet));
  at("packet").selectedIndex = data.packets.length - 1;
  data.classes.forEach((name, i) => {
    at("student-" + i).value = data.student[i];
    document.querySelector(`label[for="student-${i}"]`).textContent = "Student's logit: " + name;
  });
  startEdit();
  const shows = { "try-temperature": showTemperature, "try-grid": showGrid, "try-edit": showEdit, "try-scatter": showScatter };
  for (const [id, show] of Object.entries(shows)) {
    at(id).addEventListener("input", show);
    at(id).addEventListener("submit", (event) => event.preventDefault());
    show();
  }
  listPoints();
  window.addEventListener("resize", () => { showGrid(); showEdit(); showScatter(); });
}

start();
