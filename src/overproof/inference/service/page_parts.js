// What the page is made of. Whatever was pasted is shown as text only: elements are made one by one, none from a string.

export const at = (id) => document.getElementById(id);

export function made(name, content, className) {
  const element = document.createElement(name);
  if (content !== undefined) element.append(...(Array.isArray(content) ? content : [content]));
  if (className) element.className = className;
  return element;
}

// null is "no number", which is not zero; and what is nearly all, or nearly nothing, is neither
export function percent(share) {
  if (share === null) return "unknown";
  if (share > 0 && share < 0.000005) return "< 0.001 %";
  if (share < 1 && share > 0.999995) return "> 99.999 %";
  return (100 * share).toFixed(share > 0.999 || share < 0.001 ? 3 : 1) + " %";
}

export const number = (value, digits = 1) => value === null ? "unknown" : value.toFixed(digits);

// Tables keep their roles when narrow screens show their rows as blocks, each cell with the name of its column.
export function heads(row, names) {
  row.replaceChildren(...names.map((name) => {
    const cell = made("th", name);
    cell.scope = "col";
    cell.setAttribute("role", "columnheader");
    return cell;
  }));
}

export function tableRow(names, cells) {
  const row = made("tr");
  row.setAttribute("role", "row");
  cells.forEach((content, i) => {
    const cell = made("td", content);
    cell.setAttribute("role", "cell");
    cell.dataset.name = names[i];
    row.append(cell);
  });
  return row;
}

// What cannot be seen, or turns the direction of what can, is spelled out.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Zl}\p{Zp}]/u;

function spelled(characters, inOneLine) {
  const parts = [];
  let run = "";
  for (const one of characters) {
    const kept = !UNSEEN.test(one) || (!inOneLine && (one === "\n" || one === "\t"));
    if (kept) {
      run += one;
      continue;
    }
    if (run) parts.push(run);
    run = "";
    const names = { "\n": "\\n", "\t": "\\t", "\r": "\\r" };
    const code = one.codePointAt(0).toString(16);
    parts.push(made("span", names[one] ?? (code.length > 2 ? "\\u{" + code + "}" : "\\x" + code.padStart(2, "0")), "spelled"));
  }
  if (run) parts.push(run);
  return parts;
}

// Parts of a text with its spans marked. Spans count characters as Python does: code points, not UTF-16 units.
export function marked(text, spans, { from = 0, to = Infinity, inOneLine = false } = {}) {
  const characters = Array.from(text);
  const end = Math.min(to, characters.length);
  const heaviest = Math.max(...spans.map((span) => span.weight));
  const parts = from > 0 ? ["…"] : [];
  let here = from;
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    const [start, stop] = [Math.max(span.start, here), Math.min(span.end, end)];
    if (start >= stop) continue;
    parts.push(...spelled(characters.slice(here, start), inOneLine));
    const inside = spelled(characters.slice(start, stop), inOneLine);
    const mark = made("mark", [made("span", "[", "unseen"), ...inside, made("span", "]", "unseen")]);
    if (span.weight < heaviest / 2) mark.className = "light";
    parts.push(mark);
    here = stop;
  }
  parts.push(...spelled(characters.slice(here, end), inOneLine));
  if (end < characters.length) parts.push("…");
  return parts;
}

// One line of it, around the span that matters most.
export function excerpt(text, spans, length = 160) {
  const first = spans.length ? spans[0].start : 0;
  const from = first < length / 2 ? 0 : first - Math.floor(length / 4);
  return marked(text, spans, { from, to: from + length, inOneLine: true });
}

export function facts(list, pairs) {
  list.replaceChildren(...pairs.flatMap(([name, value]) => [made("dt", name), made("dd", value)]));
}
