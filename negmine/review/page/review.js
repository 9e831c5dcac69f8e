"use strict";
const WORDS = ["absent", "present", "unsure"];
const SPEEDS = [1, 2, 4, 8];
const DOUBTS = [["below 0.05", 0, 0.05], ["0.05 to 0.2", 0.05, 0.2], ["0.2 to 0.5", 0.2, 0.5], ["0.5 or more", 0.5, 2]];
const FILTERS = ["of-class", "of-certificate", "of-doubt"];
const $ = (id) => document.getElementById(id);
const audio = new Audio();
let state = null;      // of the server: classes, class_of, words, listener, table
let here = -1;         // number of the clip that is shown
let shown = null;      // what the server says of it
let trail = [];        // clips seen before this one
let slower = 1, banded = false, wholePlays = false;
let calling = false;   // a confirmed call is what plays
let busy = false, ended = false;

async function ask(place, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  let answer;
  try {
    answer = await fetch(place, options);
  } catch (error) {
    throw new Error("The review has ended, or was stopped. What has a verdict is kept: run the same command to go on.");
  }
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

function tell(text) { $("said").textContent = text; }

function doubted(i, name) {
  const [, low, high] = DOUBTS.find(([text]) => text === name);
  return state.doubts[i] !== null && state.doubts[i] >= low && state.doubts[i] < high;
}

// values of the filters, read once for a pass over all clips
function filter() {
  const [label, certificate, doubt] = FILTERS.map((id) => $(id).value);
  return (i) => (!label || state.classes[state.class_of[i]] === label)
    && (!certificate || state.certificates[i] === certificate) && (!doubt || doubted(i, doubt));
}

function fill(id, names) {
  for (const name of names) $(id).append(new Option(name, name));
}

function count() {
  let total = 0, done = 0;
  const wanted = filter();
  state.words.forEach((word, i) => { if (wanted(i)) { total += 1; if (word) done += 1; } });
  $("bar").max = Math.max(1, total);
  $("bar").value = done;
  $("done").textContent = done + " of " + total;
  return total - done;
}

// the next clip without a verdict behind one, then from the first on; -1 where there is none
function next(from) {
  const n = state.words.length, wanted = filter();
  for (let step = 1; step <= n; step += 1) {
    const i = (from + step) % n;
    if (wanted(i) && !state.words[i]) return i;
  }
  return -1;
}

function labels(box, ticks, side) {
  box.replaceChildren(...ticks.map(([text, at]) => {
    const span = document.createElement("span");
    span.textContent = text;
    span.style[side] = 100 * at + "%";
    return span;
  }));
}

function draw() {
  for (const word of WORDS) $(word).setAttribute("aria-pressed", String(state.words[here] === word));
  $("question").replaceChildren("Is class ", Object.assign(document.createElement("b"), { textContent: shown.class }), " heard between the white lines?");
  $("about").textContent = shown.recording + ", " + shown.span.map((s) => s.toFixed(2)).join(" to ") + " s; clip " + (here + 1) + " of " + state.words.length;
  const bad = Boolean(shown.error);
  $("call").hidden = !shown.nearest;
  if (shown.nearest) $("call-image").src = "call-picture/" + here;
  problem(bad ? shown.error + " This clip cannot be judged: skip it." : "");
  document.querySelector(".plot").hidden = bad;
  if (bad) { $("image").removeAttribute("src"); return; }
  $("image").src = "picture/" + here;
  $("image").alt = "Spectrogram: mel frequency from 0 to " + shown.top_hz / 1000 + " kHz, from " + shown.shown.map((s) => s.toFixed(2)).join(" to ") + " s of the recording";
  $("before").style.width = 100 * shown.window[0] + "%";
  $("after").style.width = 100 * (1 - shown.window[1]) + "%";
  $("band").hidden = !shown.band.length;
  if (shown.band.length) {
    $("band").style.bottom = 100 * shown.band[0] + "%";
    $("band").style.top = 100 * (1 - shown.band[1]) + "%";
    $("about").textContent += "; band " + shown.band_hz.map((hz) => (hz / 1000).toFixed(2)).join(" to ") + " kHz, dashed";
  }
  labels($("hz"), shown.hz, "bottom");
  // a text at the very edge would stand out of the page
  labels($("seconds"), shown.seconds.filter(([, at]) => at < 0.98).map(([text, at]) => [text + " s", at]), "left");
}

async function go(i, { back = false } = {}) {
  audio.pause();
  if (i < 0) { finishView(); return; }
  if (!back && here >= 0 && here !== i) trail.push(here);
  const about = await ask("clip/" + i);
  here = i;
  shown = about;
  ended = false;
  $("end").hidden = true;
  $("clip").hidden = false;
  draw();
  count();
  $("banded").setAttribute("aria-disabled", String(!shown.band || !shown.band.length));
  tell("Clip " + (i + 1) + " of " + state.words.length + ", class " + shown.class + (state.words[i] ? ", judged " + state.words[i] : ""));
  if (!shown.error) play(false);
  const after = next(i);
  if (after >= 0 && after !== i) fetch("picture/" + after).catch(() => {});
}

function finishView() {
  ended = true;
  const left = count();
  $("clip").hidden = true;
  $("end").hidden = false;
  $("ended").textContent = left ? "No other clip is left here" : "Every clip has a verdict";
  $("advice").textContent = "Undo (z) and back (k) still work. 'Finish' ends the review; the table is written already.";
  $("end").focus();
  tell($("ended").textContent);
}

function play(whole) {
  if (here < 0 || ended || shown.error) return;
  wholePlays = whole;
  calling = false;
  const on = banded && shown.band.length;
  audio.src = "sound/" + here + "?slower=" + slower + (whole ? "&whole=1" : "") + (on ? "&banded=1" : "");
  // before the first key or click a browser may refuse to play
  audio.play().catch(() => {});
}

function playCall() {
  if (here < 0 || ended || !shown.nearest) { tell("No confirmed call is known to be nearest"); return; }
  calling = true;
  audio.src = "call/" + here;
  audio.play().catch(() => {});
}

function cursor() {
  const on = !audio.paused && !calling && shown && !shown.error && !ended;
  $("cursor").hidden = !on;
  if (!on) return;
  const [first, last] = wholePlays ? [0, 1] : shown.window;
  const share = audio.duration ? audio.currentTime / audio.duration : 0;
  $("cursor").style.left = 100 * (first + share * (last - first)) + "%";
  requestAnimationFrame(cursor);
}
audio.addEventListener("playing", cursor);
audio.addEventListener("pause", cursor);
audio.addEventListener("ended", cursor);

// one thing at a time: a key that comes before the next clip shows is not a verdict on that one
async function once(work) {
  if (busy || !state) return;
  busy = true;
  try {
    await work();
  } catch (error) {
    problem(error.message);
  } finally {
    busy = false;
  }
}

async function judge(word) {
  if (ended) return;
  const { outlook } = await ask("verdict", { clip: here, word: word });
  state.words[here] = word;
  if (outlook) $("outlook").textContent = outlook;
  await go(next(here));
}

async function undo() {
  const { clip } = await ask("undo", {});
  if (clip === null) { tell("There is no verdict to take back"); return; }
  state.words[clip] = "";
  if (!filter()(clip)) for (const id of FILTERS) $(id).value = "";
  await go(clip, { back: true });
}

async function back() {
  if (ended && here >= 0) { await go(here, { back: true }); return; }
  if (!trail.length) { tell("This is the first clip"); return; }
  await go(trail.pop(), { back: true });
}

async function finish() {
  await ask("finish", {});
  audio.pause();
  ended = true;
  $("clip").hidden = true;
  $("end").hidden = false;
  $("ended").textContent = "The review has ended";
  $("advice").textContent = "The verdicts are in " + state.table + ". Run the same command to go on. This page can be closed.";
  $("end").focus();
}

const acts = {
  absent: () => once(() => judge("absent")),
  present: () => once(() => judge("present")),
  unsure: () => once(() => judge("unsure")),
  skip: () => once(() => go(next(here))),
  back: () => once(back),
  undo: () => once(undo),
  finish: () => once(finish),
  play: () => play(false),
  whole: () => play(true),
  call: playCall,
  slower: () => {
    slower = SPEEDS[(SPEEDS.indexOf(slower) + 1) % SPEEDS.length];
    document.querySelector("#slower b").textContent = slower === 1 ? "1" : "1/" + slower;
    tell("Speed 1 over " + slower);
    play(wholePlays);
  },
  banded: () => {
    if (!shown || !shown.band || !shown.band.length) { tell("The class's band is not known: give --bands"); return; }
    banded = !banded;
    $("banded").setAttribute("aria-pressed", String(banded));
    play(wholePlays);
  },
};
const keys = {
  a: "absent", p: "present", u: "unsure", j: "skip", ArrowRight: "skip", k: "back", ArrowLeft: "back",
  z: "undo", " ": "play", c: "whole", s: "slower", f: "banded", n: "call",
};
for (const id of Object.keys(acts)) $(id).addEventListener("click", acts[id]);

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("select, input")) return;
  if (event.key === " " && event.target.closest("button, a")) return;
  const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  acts[act]();
});

// a list that was used by pointer gives the keys back; one used by keys keeps the focus
let pointed = false;
document.addEventListener("pointerdown", () => { pointed = true; });
document.addEventListener("keydown", () => { pointed = false; }, true);
for (const id of FILTERS) $(id).addEventListener("change", () => once(async () => {
  if (pointed) $("judge").focus();
  count();
  if (here < 0 || ended || !filter()(here) || state.words[here]) await go(next(here));
}));

(async () => {
  try {
    state = await ask("state");
    fill("of-class", state.classes);
    const certificates = [...new Set(state.certificates)].filter(Boolean).sort();
    fill("of-certificate", certificates);
    $("by-certificate").hidden = certificates.length < 2;
    const doubts = DOUBTS.map(([name]) => name).filter((name) => state.doubts.some((_, i) => doubted(i, name)));
    fill("of-doubt", doubts);
    $("by-doubt").hidden = doubts.length < 2;
    $("outlook").textContent = state.outlook;
    $("kept").textContent = "Verdicts" + (state.listener ? " of " + state.listener : "") + " are kept in " + state.table + ", each before the next clip shows.";
    await go(next(-1));
  } catch (error) {
    problem(error.message);
  }
})();
