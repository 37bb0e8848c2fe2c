"use strict";
// Whatever was pasted is shown as text only: elements are made one by one, and none from a string.

const at = (id) => document.getElementById(id);
let token = "";

function made(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

async function post(path, body) {
  const headers = { "content-type": "application/json" };
  if (token) headers.authorization = "Bearer " + token;
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  const reply = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const error = new Error(reply.detail || "the service answered " + answer.status);
    error.status = answer.status;
    throw error;
  }
  return reply;
}

// null is "no number", which is not zero
const percent = (share) => share === null ? "unknown" : (100 * share).toFixed(share > 0.999 || share < 0.001 ? 3 : 1) + " %";

function answerOf(who, answer, decided) {
  const box = made("div");
  box.append(made("h3", who + (decided ? ", who decided" : "")));
  if (!answer) {
    box.append(made("p", "was not asked, or gave no answer", "small"));
    return box;
  }
  const shares = Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1]).slice(0, 6);
  for (const [label, share] of shares) {
    const row = made("div", undefined, "bar");
    const bar = made("progress");
    bar.max = 1;
    if (share !== null) bar.value = share;
    bar.setAttribute("aria-label", label);
    row.append(made("span", label), bar, made("span", percent(share)));
    box.append(row);
  }
  box.append(made("p", "calibrated confidence " + percent(answer.confidence), "small"));
  return box;
}

function showVerdict(verdict) {
  const open = verdict.status !== "decided";
  at("label").textContent = (verdict.label ?? "no label") + (open ? " (provisional)" : "");
  at("label").className = open ? "open" : verdict.attack > 0.5 ? "alert" : "benign";
  at("attack").textContent = "attack " + percent(verdict.attack);
  at("why").textContent = verdict.status + ", by " + verdict.decided_by + ": " + verdict.reason;
  at("answers").replaceChildren(
    answerOf("student", verdict.student, verdict.decided_by === "student"),
    answerOf("full model", verdict.full, verdict.decided_by === "full"),
  );
  at("models").textContent =
    "student " + verdict.models.student + (verdict.models.full ? ", full model " + verdict.models.full : ", no full model");
  at("verdict").hidden = false;
}

function showWindows(found) {
  const list = found.windows.map((one) => {
    const item = made("li", undefined, one.decides ? "decides" : "");
    item.append(made("span", (one.label ?? "no label") + ", attack " + percent(one.attack) + (one.decides ? ": decides " : " ")));
    const code = made("code");
    for (const piece of one.tokens) code.append(made("b", piece));
    item.append(code);
    return item;
  });
  if (found.overflow) list.push(made("li", "The event goes on past the last window that was judged.", "open"));
  at("window-list").replaceChildren(...list);
  at("windows").hidden = false;
}

function showNear(found) {
  const families = Object.entries(found.families).map(([name, count]) => count + " " + name).join(", ");
  at("near-families").textContent = families || "no families known";
  const rows = found.neighbours.map((near) => {
    const row = made("tr");
    const often = near.count > 1 ? " (" + near.count + " times)" : "";
    const text = made("td");
    text.append(made("code", near.text));
    row.append(made("td", near.similarity.toFixed(3)), made("td", near.family || near.label || "-"), text);
    row.append(made("td", near.origin + often));
    return row;
  });
  at("near-rows").replaceChildren(...rows);
  at("near").hidden = false;
}

async function judge() {
  const text = at("event").value;
  token = at("token").value || token;
  at("message").textContent = "judging…";
  for (const id of ["verdict", "windows", "near"]) at(id).hidden = true;
  try {
    showVerdict(await post("/judge", { text }));
    showWindows(await post("/windows", { text }));
    at("message").textContent = "";
  } catch (error) {
    at("message").textContent = error.message;
    if (error.status === 401) at("token-row").hidden = false;
    return;
  }
  try {
    showNear((await post("/similar", { inputs: text, count: 5 }))[0]);
  } catch (error) {
    at("near").hidden = true; // no index was given, or the bundle gives no embedding: there is nothing to show
  }
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  judge();
});
at("event").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) judge();
});
