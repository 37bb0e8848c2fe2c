// Asks the service what the page's field holds, and shows the answers.
import { at, made } from "/page_parts.js";
import { showCard, showMany, showNear, showOne, showWindows } from "/page_verdict.js";

const NEAREST = 5;
let token = "";
let turn = 0; // an answer that comes after another question is not shown
let carded = null; // the card's coming, so that it comes once
let known = false; // whether there are known events to compare with
let chosen = null; // the button of the row that is shown in full

async function ask(path, body) {
  const headers = body ? { "content-type": "application/json" } : {};
  if (token) headers.authorization = "Bearer " + token;
  const answer = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  const reply = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const error = new Error(reply.detail || "the service answered " + answer.status);
    error.status = answer.status;
    throw error;
  }
  return reply;
}

function say(text, wrong = false) {
  at("message").textContent = text;
  at("message").className = wrong ? "alert" : "small";
}

function failed(error) {
  say(error.message, true);
  if (error.status === 401) at("token-row").hidden = false;
}

function hide(...ids) {
  for (const id of ids) at(id).hidden = true;
}

function eventsOfField() {
  const text = at("event").value;
  if (at("whole").checked) return [{ text }];
  return text.split("\n").map((line, i) => ({ text: line, origin: "line:" + (i + 1) })).filter((one) => one.text.trim());
}

async function judge() {
  const mine = ++turn;
  token = at("token").value || token;
  const events = eventsOfField();
  if (!events.length) return say("There is no event: the field is empty.", true);
  hide("results", "verdict", "windows", "near");
  say("judging…");
  const options = { explain: at("explain").checked, count: NEAREST };
  try {
    await card().catch(() => {}); // without it verdicts are shown as well
    const answer = await ask("/judge", events.length === 1 ? { ...events[0], ...options } : { events, ...options });
    if (mine !== turn) return;
    const verdicts = answer.verdicts ?? [answer];
    at("back").hidden = verdicts.length === 1;
    chosen = null;
    if (verdicts.length > 1) {
      say(showMany(events, verdicts, (i, button) => choose(events[i], verdicts[i], button)));
    } else {
      showOne(events[0], verdicts[0], "Verdict");
      say(at("label").textContent + ", " + at("attack").textContent);
      await more(events[0].text, mine);
    }
  } catch (error) {
    if (mine === turn) failed(error);
    if (error.status === 401) at("token").focus();
  }
}

async function choose(event, verdict, button) {
  const mine = ++turn;
  chosen?.removeAttribute("aria-current");
  chosen = button;
  chosen.setAttribute("aria-current", "true");
  hide("windows", "near");
  showOne(event, verdict, "Verdict on " + verdict.origin.replace(":", " "));
  at("verdict-name").focus();
  await more(event.text, mine);
}

async function more(text, mine) {
  try {
    const found = await ask("/windows", { text });
    if (mine === turn) showWindows(found);
  } catch (error) {
    if (mine === turn) failed(error);
  }
  if (!known) return;
  try {
    const [found] = await ask("/similar", { text, count: NEAREST });
    if (mine === turn) showNear(found);
  } catch (error) {
    if (mine === turn) failed(error);
  }
}

function card() {
  carded ??= ask("/card").then(showBundle).catch((error) => {
    carded = null;
    throw error;
  });
  return carded;
}

function showBundle(told) {
  known = told.known_events !== null;
  showCard(told);
  for (const example of told.examples) {
    const button = made("button", example.name, "quiet");
    button.type = "button";
    button.addEventListener("click", () => {
      at(example.lines ? "lines" : "whole").checked = true;
      at("event").value = example.text;
      at("event").focus();
    });
    at("examples").append(button);
  }
  at("examples").hidden = false;
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  judge();
});
at("event").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("ask").requestSubmit();
});
at("back").addEventListener("click", () => chosen?.focus());
card().catch(failed);
