"use strict";
/* The student in miniature: bytes of a text, trigrams, a sum of weights for each class; see miniature.py. */

const SHOWN = 8; // trigrams
const FEW = 1e-12;

const student = (() => {
  let read;
  return () => (read ??= unpacked(data.miniature));
})();

function unpacked({ classes, benign, weights }) {
  const bytes = Uint8Array.from(atob(weights), (c) => c.charCodeAt(0)), view = new DataView(bytes.buffer);
  const rows = [];
  for (let at = 0; at < bytes.length; at += 4 * classes.length) {
    rows.push(classes.map((_, c) => view.getFloat32(at + 4 * c, true)));
  }
  return { classes, benign: classes.indexOf(benign), rows };
}

function trigrams(text) {
  const bytes = new TextEncoder().encode(`^${text}$$`), found = new Map(), buckets = student().rows.length;
  for (let i = 0; i + 2 < bytes.length; i++) {
    const code = (bytes[i] << 16) | (bytes[i + 1] << 8) | bytes[i + 2];
    const bucket = Math.imul(code, 2654435761) >>> Math.clz32(buckets - 1); // the upper bits of the product
    const at = found.get(bucket) ?? { bucket, count: 0, texts: new Set() };
    at.count++;
    at.texts.add(new TextDecoder().decode(bytes.slice(i, i + 3)));
    found.set(bucket, at);
  }
  const norm = f(Math.sqrt(sum([...found.values()].map((g) => g.count * g.count))));
  return [...found.values()].map((g) => ({ ...g, x: f(g.count / norm) }));
}

function rounded(bits) {
  const { classes, rows } = student(), scheme = { bits, symmetric: true, signed: true };
  const grids = classes.map((_, c) => fit(rows.map((row) => row[c]), scheme, 1));
  const integers = rows.map((row) => row.map((w, c) => quantize(w, grids[c])));
  return { grids, integers, rows: integers.map((row) => row.map((q, c) => dequantize(q, grids[c]))) };
}

function judged(grams, rows) {
  const { classes, benign } = student();
  const logits = classes.map((_, c) => sum(grams.map((g) => g.x * rows[g.bucket][c])));
  const p = softmax(logits, 1);
  return { logits, attack: 1 - p[benign] };
}

const verdict = (attack) => (attack > 0.5 ? "attack" : "benign");
const ofBits = (bits) => "INT" + bits;

function showEdit() {
  const bits = number("edit-bits"), text = at("edit-text").value, grams = trigrams(text);
  const { classes, benign, rows } = student(), q = rounded(bits);
  const exact = judged(grams, rows), coarse = judged(grams, q.rows), name = ofBits(bits);
  put("edit-bits-value", bits, bits);
  const body = emptied("edit-models");
  [["fp32", "FP32", exact], ["int", name, coarse]].forEach(([id, model, found]) => tableRow(body, [
    [null, model], ["attack-" + id, found.attack, found.attack.toFixed(5)],
    ["verdict-" + id, Number(found.attack > 0.5), verdict(found.attack)],
  ]));
  const apart = verdict(exact.attack) !== verdict(coarse.attack);
  at("edit-says").textContent = (apart
    ? `They disagree: FP32 says ${verdict(exact.attack)}, ${name} says ${verdict(coarse.attack)}.`
    : `They agree: ${verdict(exact.attack)}.`);
  at("edit-says").classList.toggle("apart", apart);
  const other = classes.map((_, c) => c).filter((c) => c !== benign)
    .reduce((a, b) => (exact.logits[b] > exact.logits[a] ? b : a));
  drawBorder(exact, coarse, name);
  listTrigrams(grams, q, benign, other, exact, coarse, name);
}

const odds = (attack) => Math.log(Math.max(attack, FEW) / Math.max(1 - attack, FEW));

function drawBorder(exact, coarse, name) {
  const a = odds(exact.attack), b = odds(coarse.attack);
  const { width, add } = drawing("border", 96, "Log-odds of an attack, and the border at 0");
  const reach = 1.25 * Math.max(Math.abs(a), Math.abs(b), 0.02);
  const place = (x) => 12 + ((x + reach) / (2 * reach)) * (width - 24);
  add("line", { x1: 12, x2: width - 12, y1: 48, y2: 48, class: "rule" });
  add("line", { x1: place(0), x2: place(0), y1: 26, y2: 70, class: "ink" });
  add("text", { x: place(0), y: 90, class: "middle" }, "0");
  add("text", { x: 12, y: 90 }, "benign");
  add("text", { x: width - 12, y: 90, class: "end" }, "attack");
  add("circle", { cx: place(a), cy: 48, r: 7, class: "tutorial", id: "mark-fp32" }).append(titled("FP32"));
  add("rect", { x: place(b) - 6, y: 42, width: 12, height: 12, class: "weight", id: "mark-int" }).append(titled(name));
  const side = (x) => (x > width / 2 ? "end" : "");
  add("text", { x: place(a), y: 24, class: side(place(a)) }, "● FP32 " + signed(a));
  add("text", { x: place(b), y: 70, class: side(place(b)) }, "■ " + name + " " + signed(b));
}

function listTrigrams(grams, q, benign, other, exact, coarse, name) {
  const { classes, rows } = student(), body = emptied("edit-trigrams");
  const between = (row) => row[other] - row[benign];
  const listed = grams.map((g) => {
    const full = g.x * between(rows[g.bucket]), moved = g.x * between(q.rows[g.bucket]) - full;
    return { ...g, full, moved };
  }).sort((a, b) => Math.abs(b.moved) - Math.abs(a.moved));
  at("edit-class").textContent = `${classes[other]} over ${classes[benign]}`;
  const line = (id, label, times, full, moved) => tableRow(body, [
    [null, label], [null, times], ["full-" + id, full, signed(full)], ["moved-" + id, moved, signed(moved)],
    [null, signed(full + moved)],
  ]);
  listed.slice(0, SHOWN).forEach((g, k) => line(k, [...g.texts].map((t) => JSON.stringify(t)).join(" "), g.count, g.full, g.moved));
  const rest = listed.slice(SHOWN), add = (name) => sum(rest.map((g) => g[name]));
  line("rest", rest.length + " others", add("count"), add("full"), add("moved"));
  const whole = (found) => found.logits[other] - found.logits[benign];
  line("sum", "sum", sum(grams.map((g) => g.count)), whole(exact), whole(coarse) - whole(exact));
  at("edit-rounded").textContent = name;
}

function startEdit() {
  data.edits.forEach((edit, k) => {
    at("edit-event").add(new Option(`${k + 1}: as it was`, 2 * k));
    at("edit-event").add(new Option(`${k + 1}: edited, ${edit.steps.join(", ")} (${ofBits(edit.bits)})`, 2 * k + 1));
  });
  const take = () => {
    const chosen = number("edit-event"), edit = data.edits[Math.floor(chosen / 2)];
    if (!edit) return;
    at("edit-text").value = chosen % 2 ? edit.edited : edit.original;
    at("edit-bits").value = edit.bits;
  };
  at("edit-event").addEventListener("input", take);
  at("edit-event").selectedIndex = Math.min(1, data.edits.length - 1);
  take();
}
