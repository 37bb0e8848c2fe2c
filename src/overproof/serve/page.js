"use strict";
/* Whatever was pasted, or comes from known events, was perhaps written by an attacker: it becomes text, nothing else. */

const at = (id) => document.getElementById(id);
const LIKELY = 0.005;  // labels below it, by both models, stand apart
const STATUS = {
  decided: (v) => `Decided by the ${v.decided_by === "full" ? "full model" : "student"}`,
  deferred: () => "Not decided: deferred, the full model has no room for it",
  held: () => "Not decided: held, the full model is down",
  abstained: () => "Not decided: no full model to ask",
};

/* Characters that cannot be seen, or that change the order of others, by their numbers. */
let harmless = [];  // labels

const shown = (text) => text.replace(
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
  (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

function element(name, kind, text, ...children) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (text) made.textContent = shown(text);
  made.append(...children);
  return made;
}

function probability(p) {
  if (p > 0 && p < 0.0001) return "< 0.0001";
  return p < 1 && p > 0.9999 ? "> 0.9999" : p.toFixed(4);
}

class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function ask(path, body) {
  const headers = { "content-type": "application/json" };
  if (at("token").value) headers.authorization = `Bearer ${at("token").value}`;
  const answer = await fetch(path, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers });
  const told = await answer.json().catch(() => ({ detail: `the service answered ${answer.status}` }));
  if (!answer.ok && path !== "/readyz") throw new Problem(answer.status, told.detail);
  return told;
}

async function showService() {
  try {
    const told = await ask("/readyz");
    harmless = told.benign || [];
    const full = told.full ? `full model ${told.models.full}, ${told.full}` : "no full model";
    at("service").textContent = shown(
      (told.ready ? "" : "not ready; ") + (told.models ? `student ${told.models.student}; ${full}` : "answers"));
  } catch {
    at("service").textContent = "does not answer";
  }
}

function bar(kind, p) {
  const filled = element("div", `bar ${kind}`);
  filled.style.width = `${100 * p}%`;
  return element("div", "answer", "", element("div", "track", "", filled), element("div", "number", probability(p)));
}

function showAnswers(verdict) {
  const { student, full } = verdict;
  const likeliest = (name) => Math.max(student.probabilities[name], full ? full.probabilities[name] : 0);
  const names = Object.keys(student.probabilities).sort((a, b) => likeliest(b) - likeliest(a));
  const row = (name) => {
    const bars = element("div", "", "", bar("student", student.probabilities[name]));
    if (full) bars.append(bar("full", full.probabilities[name]));
    return element("div", name === verdict.label ? "row final" : "row", "", element("div", "name", name), bars);
  };
  const likely = names.filter((name, i) => i === 0 || likeliest(name) >= LIKELY);
  const others = names.slice(likely.length);
  at("bars").replaceChildren(...likely.map(row));
  at("rest").replaceChildren(...others.map(row));
  at("others").hidden = !others.length;
  at("others").querySelector("summary").textContent = `${others.length} others, each below ${LIKELY}`;
  at("keys").querySelector(".full").hidden = !full;
  at("no-full").textContent = full ? "" : "The full model was not asked, or did not answer.";
}

function showVerdict(verdict) {
  const open = verdict.status !== "decided";
  at("verdict").className = `verdict ${open ? "open" : harmless.includes(verdict.label) ? "" : "attack"}`;
  at("status").textContent = STATUS[verdict.status](verdict);
  at("label").textContent = shown(open ? `${verdict.label}, provisionally` : verdict.label);
  at("why").textContent = shown(`Attack probability ${probability(verdict.attack)}: ${verdict.reason}.`);
  at("json").textContent = shown(JSON.stringify(verdict, null, 1));
  showAnswers(verdict);
}

function showWindows(told) {
  const count = told.windows.length;
  at("windows-told").textContent = (count === 1 ? "One window" : `${count} windows; the one with the highest attack probability decides`)
    + (told.overflow ? ". The event goes on past the last one: its rest was not read." : ".");
  at("windows").replaceChildren(...told.windows.map((window, i) => {
    const head = element("p", "", `Window ${i + 1}: ${window.label}, attack probability ${probability(window.attack)} `,
      ...(window.decides && count > 1 ? [element("strong", "", "decides")] : []));
    const tokens = window.tokens.map((token) => element("span", "", token));
    return element("div", window.decides ? "window decides" : "window", "", head, element("div", "tokens", "", ...tokens));
  }));
  at("windows-section").hidden = false;
}

function showKnown(found) {
  at("known").replaceChildren(...found[0].neighbours.map((near) => {
    const often = near.count > 1 ? `, ${near.count} times` : "";
    const about = element("div", "about", "", element("strong", "", near.family || near.label || "no label"),
      `${near.similarity.toFixed(3)} alike${often}`, element("div", "", near.origin));
    return element("li", "", "", about, element("div", "event", near.text));
  }));
  at("known-section").hidden = false;
}

/* What a bundle or a service has not is left out; anything else is a problem. */
const optional = (asked) => asked.catch((problem) => {
  if (problem.status !== 501) throw problem;
});

async function judge() {
  const text = at("text").value;
  at("judge").disabled = true;
  at("problem").hidden = at("windows-section").hidden = at("known-section").hidden = true;
  try {
    const [verdict, windows, known] = await Promise.all([
      ask("/judge", { text, origin: "page" }), ask("/windows", { text }),
      optional(ask("/similar", { inputs: text, count: 5 })), showService(),
    ]);
    showVerdict(verdict);
    showWindows(windows);
    if (known) showKnown(known);
    at("result").hidden = false;
    at("needs-token").hidden = true;
  } catch (problem) {
    at("result").hidden = true;
    at("problem").textContent = shown(problem.status ? problem.message : "The service does not answer.");
    at("problem").hidden = false;
    if (problem.status === 401) {
      at("needs-token").hidden = false;
      at("token").focus();
    }
  } finally {
    at("judge").disabled = false;
  }
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  judge();
});
at("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    judge();
  }
});
for (const button of document.querySelectorAll(".try")) {
  button.addEventListener("click", () => {
    at("text").value = button.dataset.text;
    judge();
  });
}
showService();
