// What the page does that judges cases: each is rendered in a frame of its own, one after another, and what it would
// have done to a visitor is written down instead of done. Browsers fire events when they please; here all that nature
// fires is stopped, and each handler's event is fired once, in the order of the document.
"use strict";

const CALLS = ["alert", "confirm", "prompt", "print", "open", "fetch", "postMessage", "eval"];
const TIMERS = ["setTimeout", "setInterval", "setImmediate", "requestAnimationFrame"];
const LOADS = "script[src], iframe, frame, embed[src], object[data], link[href], meta[http-equiv], base[href]";
const DECISIVE = ["src", "href", "xlink:href", "data", "srcset", "srcdoc", "type", "rel", "http-equiv", "content"];
const TRIGGERS = ["autofocus", "open", "begin", "contenteditable"];
const FETCHERS = ["IMG", "SCRIPT", "IFRAME", "FRAME", "EMBED", "OBJECT", "LINK", "VIDEO", "AUDIO", "SOURCE", "TRACK"];
const WHOLE = ["BODY", "FRAMESET", "SVG", "STYLE"];
const CALLBACKS = 20; // timers may set timers
const later = setTimeout.bind(window);

const EVENTS = new Set(["begin", "end", "repeat", "DOMContentLoaded"]);
for (const kind of [window, document, HTMLElement.prototype, SVGElement.prototype]) {
  for (const name in kind) if (name.startsWith("on")) EVENTS.add(name.slice(2));
}

let effects = [];
let timers = [];
let url = URL;

function say(value) {
  try {
    return typeof value === "function" ? "function" : String(value);
  } catch {
    return "?";
  }
}

function record(...words) {
  if (effects.length < 200) effects.push(words.map(say).join(" ").slice(0, 400));
}

function replace(object, name, value) {
  try {
    Object.defineProperty(object, name, { value, configurable: true, writable: true });
  } catch {
    // this window does not have it, or keeps it
  }
}

// Put what writes down in the place of what a script would do to a visitor.
function hook(frame) {
  const code = frame.eval;
  const answers = { confirm: true, prompt: "", open: null, fetch: new frame.Promise(() => {}) };
  for (const name of CALLS) {
    const fake = (...given) => {
      record(name, ...given);
      return name === "eval" ? code(given[0]) : answers[name];
    };
    replace(frame, name, fake);
  }
  for (const name of TIMERS) {
    replace(frame, name, (what, _, ...given) => {
      if (typeof what !== "function") record(name, what);
      return timers.push(() => (typeof what === "function" ? what(...given) : code(say(what))));
    });
  }
  for (const name of ["Worker", "SharedWorker", "WebSocket", "EventSource"]) {
    replace(frame, name, function (...given) { record(name, ...given); });
  }
  replace(frame.XMLHttpRequest.prototype, "open", (...given) => record("XMLHttpRequest", ...given));
  replace(frame.XMLHttpRequest.prototype, "send", (...given) => record("send", ...given));
  replace(frame.Navigator.prototype, "sendBeacon", (...given) => record("sendBeacon", ...given));
  replace(frame.HTMLFormElement.prototype, "submit", function () { record("submit", this.action); });
  for (const name of ["log", "error", "warn", "info", "debug"]) {
    replace(frame.console, name, (...given) => record("console", ...given));
  }
  frame.Math.random = () => 0.5;
  hookDocument(frame);
}

function hookDocument(frame) {
  const page = frame.document;
  Object.defineProperty(page, "cookie", {
    get: () => (record("cookie read"), "session=1"),
    set: (value) => record("cookie set", value),
  });
  for (const name of ["write", "writeln"]) {
    const real = page[name];
    replace(page, name, (...given) => {
      record("write", ...given);
      if (page.readyState === "loading") real.apply(page, given);
    });
  }
  for (const [kind, name] of [["Image", "src"], ["Script", "src"], ["IFrame", "src"], ["Embed", "src"]]) {
    const owner = frame[`HTML${kind}Element`].prototype;
    const real = Object.getOwnPropertyDescriptor(owner, name);
    const set = function (value) {
      record("set", kind, value);
      real.set.call(this, value);
    };
    Object.defineProperty(owner, name, { ...real, set });
  }
}

function stop(event) {
  if (event.isTrusted) event.stopImmediatePropagation();
}

// Called by the first script of a frame, before anything of the case is parsed.
function begin(frame) {
  hook(frame);
  frame.name = "alert('name')";
  if (frame.navigation) {
    frame.navigation.onnavigate = (event) => {
      record("navigate", event.destination.url);
      event.preventDefault();
    };
  }
  for (const name of EVENTS) {
    frame.addEventListener(name, stop, true);
    frame.document.addEventListener(name, stop, true);
  }
  frame.document.currentScript.remove();
}

// What must hold besides, for a browser to fire an event of its own accord.
function around(element, type) {
  const words = [element.localName];
  if (["load", "error", "abort", "loadstart"].includes(type)) {
    const tag = element.tagName.toUpperCase();
    const fetches = FETCHERS.includes(tag) || (tag === "INPUT" && element.type === "image");
    const named = DECISIVE.filter((name) => element.hasAttribute(name));
    if (!(WHOLE.includes(tag) && type === "load") && !(fetches && named.length)) return null;
    for (const name of named) words.push(`${name}=${address(element.getAttribute(name))}`);
    return words.join(" ");
  }
  return TRIGGERS.filter((name) => element.hasAttribute(name)).join(" ");
}

function address(value) {
  return script(value) === null ? value : "javascript:";
}

// The script of a javascript: URL as a browser reads it; null for any other.
function script(value) {
  try {
    const read = new url(value, "http://example.com/").href;
    return read.startsWith("javascript:") ? decodeURIComponent(read.slice(11)) : null;
  } catch {
    return null;
  }
}

function attempt(act) {
  try {
    act();
  } catch {
    // errors are no effects
  }
}

function within(label, act) {
  const before = effects.length;
  attempt(act);
  const fresh = effects.slice(before).map((effect) => `${label}: ${effect}`);
  effects = [...effects.slice(0, before), ...fresh];
}

// In the order of their names, as the order of a tag's attributes decides nothing.
function fire(frame, element) {
  for (const name of Array.from(element.attributes, (attribute) => attribute.name).sort()) {
    if (!/^on[a-z]+$/.test(name) || typeof element[name] !== "function") continue;
    const type = name.slice(2);
    const how = around(element, type);
    if (how === null) continue;
    const target = element[name] === frame[name] ? frame : element;
    within(`on ${type} ${how}`, () => target.dispatchEvent(new frame.Event(type, { cancelable: true })));
  }
}

function follow(frame, element) {
  for (const { name, value } of [...element.attributes]) {
    const sink = {
      href: ["a", "area"], "xlink:href": ["a"], src: ["iframe", "frame"], action: ["form"],
      formaction: ["button", "input"],
    }[name];
    const code = sink && sink.includes(element.localName) ? script(value) : null;
    if (code !== null) within(`javascript: ${element.localName} ${name}`, () => frame.run(code));
  }
}

function collect(frame) {
  const page = frame.document;
  for (const element of [...page.querySelectorAll(LOADS)]) {
    if (element.localName === "link" && !/stylesheet|import/i.test(element.rel)) continue;
    const named = DECISIVE.filter((name) => element.hasAttribute(name));
    const described = named.map((name) => `${name}=${address(element.getAttribute(name))}`);
    if (described.length) record("load", element.localName, ...described);
  }
  for (const element of [...page.querySelectorAll("*")]) {
    fire(frame, element);
    follow(frame, element);
  }
  for (let count = 0; timers.length && count < CALLBACKS; count++) attempt(timers.shift());
}

// Whether anything of it could run, by the same parser, which runs nothing there; frames are slow.
function alive(markup) {
  const page = new DOMParser().parseFromString(markup, "text/html");
  if (page.querySelector(LOADS)) return true;
  return [...page.querySelectorAll("*")].some(
    (element) =>
      (element.localName === "script" && compiles(element.textContent)) ||
      [...element.attributes].some(({ name, value }) => /^on/.test(name) || script(value) !== null),
  );
}

function compiles(code) {
  try {
    return Boolean(new Function(code));
  } catch {
    return false;
  }
}

function judge(markup) {
  if (!alive(markup)) return [];
  return new Promise((done) => {
    effects = [];
    timers = [];
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts allow-same-origin";
    let over = false;
    const finish = () => {
      if (over) return;
      over = true;
      attempt(() => collect(frame.contentWindow));
      later(() => {
        frame.remove();
        done(effects);
      }, 0);
    };
    frame.onload = finish;
    later(finish, 2000);
    frame.srcdoc = `<!doctype html><script>run = eval; parent.begin(window)</` + `script>${markup}`;
    document.documentElement.append(frame);
  });
}

// Tell each case's effects as soon as they are known, so that one that never ends costs no other's.
async function judgeAll(cases, token) {
  const tell = console.log.bind(console);
  hook(window);
  for (const markup of cases) {
    const bytes = new TextEncoder().encode(JSON.stringify(await judge(markup)));
    tell(`${token}:${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}:`);
  }
}
