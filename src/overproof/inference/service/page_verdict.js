// Shows verdicts: many in a table, one in full, and what is known besides of that one.
import { at, excerpt, facts, heads, made, marked, number, percent, tableRow } from "/page_parts.js";

let bundle = null; // the answer of /card, where it came

const spansOf = (verdict) => verdict.spans ?? [];
const isAlert = (verdict) => verdict.attack !== null && verdict.attack > 0.5;
const kindOf = (verdict) => verdict.status !== "decided" ? "open" : isAlert(verdict) ? "alert" : "benign";

function named(label) {
  const title = bundle?.classes.find((one) => one.name === label)?.title;
  return title && title.toLowerCase() !== label ? label + ", " + title : label;
}

const decider = { student: "student", full: "full model", nobody: "nobody" };

function finalLabel(verdict) {
  const open = verdict.status === "decided" ? "" : " (" + verdict.status + ", provisional)";
  return made("span", (verdict.label === null ? "no label" : named(verdict.label)) + open, kindOf(verdict));
}

function saidByFull(verdict) {
  if (verdict.full) return verdict.full.label + ", attack " + percent(verdict.full.attack);
  if (!verdict.models.full) return "there is none";
  return verdict.status === "decided" && !verdict.stood_in ? "was not asked" : "gave no answer";
}

function farness(verdict) {
  const distance = verdict.student.ood_distance, limit = bundle?.ood_limit ?? null;
  if (distance === null) return made("span", "unknown");
  if (limit === null) return made("span", number(distance) + ", no limit is set");
  if (distance > limit) return made("span", "yes: " + number(distance) + " is beyond " + number(limit), "open");
  return made("span", "no: " + number(distance) + " is within " + number(limit));
}

// Returns in words what there is.
export function showMany(events, verdicts, choose) {
  const withFull = verdicts.some((verdict) => verdict.models.full);
  const names = ["Event", "Verdict", "Attack score (alert above 50 %)", "Decided by", "Unlike training", "Text"];
  if (withFull) names.splice(4, 0, "Full model");
  heads(at("result-heads"), names);
  at("result-rows").replaceChildren(...verdicts.map((verdict, i) => {
    const button = made("button", verdict.origin.replace(":", " "), "quiet");
    button.type = "button";
    button.setAttribute("aria-label", "Details of " + verdict.origin.replace(":", " "));
    button.addEventListener("click", () => choose(i, button));
    const who = made("span", [decider[verdict.decided_by], made("span", verdict.reason, "reason")]);
    const cells = [button, finalLabel(verdict), percent(verdict.attack), who, farness(verdict)];
    if (withFull) cells.splice(4, 0, saidByFull(verdict));
    return tableRow(names, [...cells, made("code", excerpt(events[i].text, spansOf(verdict)))]);
  }));
  const alerts = verdicts.filter((one) => kindOf(one) === "alert").length;
  const open = verdicts.filter((one) => kindOf(one) === "open").length;
  at("results").hidden = false;
  const counted = alerts + (alerts === 1 ? " alert, " : " alerts, ") + (verdicts.length - alerts - open) + " benign, ";
  return verdicts.length + " events: " + counted + open + " that nobody decided.";
}

function answerOf(who, answer, decided, otherwise) {
  const box = made("div", made("h3", who + (decided ? ", who decided" : "")));
  if (!answer) {
    box.append(made("p", otherwise, "small"));
    return box;
  }
  for (const [label, share] of Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1]).slice(0, 6)) {
    const bar = made("progress");
    bar.max = 1;
    if (share !== null) bar.value = share;
    bar.setAttribute("aria-label", label);
    box.append(made("div", [made("span", label), bar, made("span", percent(share))], "bar"));
  }
  box.append(made("p", "attack score " + percent(answer.attack) + ", confidence " + percent(answer.confidence), "small"));
  return box;
}

export function showOne(event, verdict, heading) {
  at("verdict-name").textContent = heading;
  at("label").replaceChildren(finalLabel(verdict));
  at("attack").textContent = "attack score " + percent(verdict.attack) + " (alert above 50 %)";
  at("why").textContent = verdict.status + ", by " + decider[verdict.decided_by] + ": " + verdict.reason;
  at("text").replaceChildren(...marked(event.text, spansOf(verdict)));
  at("unexplained").textContent = !isAlert(verdict) || verdict.spans === undefined ? "" : verdict.spans === null
    ? "Nothing is marked: " + verdict.unexplained + "."
    : verdict.spans.length ? "Marked is what carried the verdict; without it the log-odds of an attack are lower by:" : "No part of it carries the verdict alone.";
  at("spans").replaceChildren(...spansOf(verdict).map((span) =>
    made("li", [number(span.weight) + " ", made("code", marked(span.text, [], { inOneLine: true })), span.part ? " in the " + span.part : ""])));
  at("answers").replaceChildren(
    answerOf("Student", verdict.student, verdict.decided_by === "student"),
    answerOf("Full model", verdict.full, verdict.decided_by === "full", "It " + saidByFull(verdict) + "."),
  );
  if (!verdict.models.full) at("answers").lastChild.replaceChildren(made("h3", "Full model"), made("p", "There is none in reserve.", "small"));
  at("far").replaceChildren("Unlike all training events (distance): ", farness(verdict));
  at("models").textContent = "student " + verdict.models.student + (verdict.models.full ? ", full model " + verdict.models.full : "");
  at("verdict").hidden = false;
}

export function showWindows(found) {
  const list = found.windows.map((one) => {
    const said = (one.label ?? "no label") + ", attack " + percent(one.attack) + (one.decides ? ": decides " : " ");
    const code = made("code", one.tokens.map((piece) => made("b", marked(piece, []))));
    return made("li", [made("span", said), code], one.decides ? "decides" : "");
  });
  if (found.overflow) list.push(made("li", "The event goes on past the last window that was judged.", "open"));
  at("window-list").replaceChildren(...list);
  at("windows").hidden = false;
}

export function showNear(found) {
  const families = Object.entries(found.families).map(([name, count]) => count + " " + name).join(", ");
  const none = found.close === false ? "Nothing is close: no known event is spelled like it (" + number(found.spelling, 3) + ", less than " + number(found.threshold, 3) + "). The nearest all the same:" : "";
  at("near-families").textContent = none || families || "no families known";
  const names = ["Cosine", "Family", "Event", "From"];
  heads(at("near-heads"), names);
  at("near-rows").replaceChildren(...found.neighbours.map((near) => {
    const often = near.count > 1 ? " (" + near.count + " times)" : "";
    const text = made("code", marked(near.text, []));
    return tableRow(names, [number(near.similarity, 3), near.family || near.label || "-", text, near.origin + often]);
  }));
  at("near").hidden = false;
}

function decides(card) {
  if (card.confidence_limit === null) return "nothing: every event goes to the full model";
  const least = card.confidence_limit > 0 ? "what it is sure of by " + percent(card.confidence_limit) : "whatever it says";
  return least + (card.ood_limit === null ? "" : ", within a distance of " + number(card.ood_limit) + " from the training events");
}

export function showCard(card) {
  bundle = card;
  const day = card.opened.slice(0, 10);
  at("about").textContent = card.about;
  facts(at("card-facts"), [
    ["Made from", (card.about || "not told") + " (as of " + day + ", when the service opened it)"],
    ["Check", card.promise ? card.promise.status + ": " + card.promise.message : "no check stands behind the verdicts"],
    ["Student", card.student + ", " + card.precision + (card.parameters === null ? "" : ", " + card.parameters.toLocaleString("en") + " parameters")],
    ["Size", card.bytes < 1e6 ? (card.bytes / 1e3).toFixed(0) + " kB" : (card.bytes / 1e6).toFixed(2) + " MB"],
    ["Student decides", decides(card)],
    ["By thresholds of", card.policy],
    ["Full model", card.full ?? "none in reserve"],
    ["Known events", card.known_events === null ? "none: nothing to compare with" : card.known_events.toLocaleString("en")],
    ["Made by", "overproof " + card.overproof + ", model " + card.models.student],
  ]);
  const names = ["Benign events flagged", "Attack score from"];
  heads(at("threshold-heads"), names);
  at("threshold-rows").replaceChildren(...Object.entries(card.thresholds).sort((a, b) => a[0] - b[0]).map(([rate, from]) =>
    tableRow(names, [100 * rate + " %", from === null ? "not measured: too few events" : number(from, 4)])));
  at("classes-name").textContent = card.classes.length + " classes";
  at("classes").replaceChildren(...card.classes.map((one) =>
    made("li", [made("code", one.name), [one.benign ? " benign" : "", one.title ? " " + one.title : "", one.technique ? ", " + one.technique : ""].join("")])));
  at("card").hidden = false;
}
