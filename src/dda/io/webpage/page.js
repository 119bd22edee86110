// The page's own behaviour. All text from files and from the server is put in as text, never as HTML.
"use strict";

const AT_ONCE = 2; // requests under way: the server's cores are shared with everybody else
const TRIES = 4;
const VERDICTS = {
  real: "Looks real",
  uncertain: "Uncertain",
  generated: "Looks generated",
  unreadable: "No verdict",
  waiting: "Waiting",
};
const NUMBERS = {
  probability: "Probability of “generated”",
  logit: "Score (logit)",
  threshold: "Threshold (logit)",
  uncertain_from: "Uncertain from (logit)",
  uncertain_to: "Uncertain to (logit)",
  calibrated: "Calibrated",
  views: "Windows looked at",
  seen: "Share of the image seen",
};
const FACTS = {
  format: "Format", pictures: "Pictures in the file", width: "Width, pixels", height: "Height, pixels", mode: "Kind of pixels", bytes: "Size, bytes", sha256: "SHA-256",
  jpeg: "JPEG", quality: "quality", quality_exact: "quality is exact", tables: "tables", subsampling: "colour subsampling",
  progressive: "progressive", restarts: "restart markers", comment: "comment", recompressed: "compressed before", found: "found",
  lowest: "lowest quality", highest: "highest quality", gain: "gain", limit: "limit", position: "Holds a GPS position",
  thumbnail: "Holds a preview", icc: "Colour profile", source_types: "Declared source", grid: "Grid of 8×8 blocks", camera: "Camera", make: "make",
  model: "model", software: "software", taken: "taken", c2pa: "C2PA", generator: "Named generator",
};

const page = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const items = []; // { file, element, row, error, state }
let model = null;
let running = 0;
let stopping = null; // an AbortController while images are checked
let leftFocus = false;

const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
const surely = (share) => (share < 0.01 ? "less than 1\u00a0%" : share > 0.99 ? "more than 99\u00a0%" : percent(share));
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
const size = (bytes) => {
  const [unit, factor] = bytes < 1e3 ? ["bytes", 1] : bytes < 1e6 ? ["kB", 1e3] : ["MB", 1e6];
  return `${Number((bytes / factor).toPrecision(3))} ${unit}`;
};

// ---- the detector ----

async function learnAboutModel() {
  try {
    model = await (await fetch("/api/model")).json();
  } catch {
    say("The server does not answer. Is `dda web` still running?");
    return;
  }
  page["model-name"].textContent = model.calibrated ? `${model.name} (calibrated)` : `${model.name} (not calibrated)`;
  page["model-card"].textContent = model.card || "This detector has no card.";
  page.cautions.replaceChildren(...model.cautions.map((sentence) => element("p", sentence)));
  page.cautions.hidden = model.cautions.length === 0;
  for (const rate of model.max_fpr) {
    const option = element("option", `At most ${Number((100 * rate).toPrecision(3))}\u00a0% of real photos accused`);
    option.value = rate;
    page.strictness.append(option);
  }
  page.strictness.options[0].textContent = `When it is ${percent(model.confidence)} sure`;
  page["zone-limits"].textContent =
    `One or many. JPEG, PNG, WebP and others, up to ${size(model.limits.image_bytes)} ` +
    `and ${Number((model.limits.image_pixels / 1e6).toPrecision(3))} megapixels each.`;
  if (!["127.0.0.1", "localhost", "[::1]"].includes(location.hostname)) {
    page.private.textContent = `Nothing leaves ${location.hostname}`;
    page.server.textContent = location.hostname;
  }
}

// ---- images in ----

function take(files) {
  if (!files.length) return;
  leftFocus = document.activeElement === page.files || document.activeElement === document.body;
  for (const file of files) {
    const item = { file, element: newCard(file), row: null, error: null, state: "waiting" };
    items.push(item);
    page.cards.append(item.element);
  }
  page.results.hidden = false;
  say(`${plural(files.length, "image")} added.`);
  work();
}

function newCard(file) {
  const card = page.card.content.firstElementChild.cloneNode(true);
  const original = card.querySelector(".original");
  original.src = URL.createObjectURL(file);
  original.alt = `Your image ${file.name}`;
  original.addEventListener("error", () => {
    original.hidden = true;
    card.querySelector(".no-preview").hidden = !card.querySelector(".overlay").hidden;
  });
  card.querySelector(".file").textContent = `${file.name} · ${size(file.size)}`;
  const overlay = card.querySelector(".overlay");
  const [on, strength] = [card.querySelector(".heat-on"), card.querySelector(".heat-strength")];
  const show = () => {
    overlay.style.opacity = on.checked ? strength.value / 100 : 0;
    strength.disabled = !on.checked;
    strength.setAttribute("aria-valuetext", `${strength.value} %`);
  };
  on.addEventListener("change", show);
  strength.addEventListener("input", show);
  show();
  setVerdict(card, "waiting", VERDICTS.waiting);
  return card;
}

// ---- the line of work ----

function work() {
  stopping ??= new AbortController();
  while (running < AT_ONCE && !stopping.signal.aborted) {
    const item = items.find((one) => one.state === "waiting");
    if (!item) break;
    running += 1;
    item.state = "running";
    setVerdict(item.element, "waiting", "Looking …");
    check(item, stopping.signal)
      .catch((error) => { item.error = error.message; })
      .finally(() => {
        running -= 1;
        if (!items.includes(item)) return work();
        item.state = "done";
        showResult(item);
        work();
      });
  }
  showProgress();
  if (running === 0) finish();
}

async function check(item, signal) {
  item.row = item.error = null;
  if (model && item.file.size > model.limits.image_bytes) {
    throw new Error(`This file is too large: it has ${size(item.file.size)}, and ${size(model.limits.image_bytes)} are allowed.`);
  }
  const form = new FormData();
  form.append("images", item.file);
  form.append("views", page.views.value);
  form.append("max_fpr", page.strictness.value);
  form.append("heatmap", page.heatmap.checked);
  form.append("facts", page.facts.checked);
  for (let tried = 1; ; tried += 1) {
    let response, answer;
    try {
      response = await fetch("/api/detect", { method: "POST", body: form, signal });
      answer = await response.json();
    } catch {
      throw new Error(signal.aborted ? "You stopped before this image was checked." : "The server gave no answer. Is it still running, and is the file still there?");
    }
    if (response.ok) {
      item.row = answer.images[0];
      return;
    }
    if (response.status !== 503 || tried === TRIES) throw new Error(sentence(answer.error));
    await pause(1000 * (Number(response.headers.get("retry-after")) || 1), signal);
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

function finish() {
  stopping = null;
  page.stop.hidden = page.progress.hidden = true;
  for (const item of items.filter((one) => one.state === "waiting")) {
    item.state = "done";
    item.error = "You stopped before this image was checked.";
    showResult(item);
  }
  if (!items.length) return;
  page.again.hidden = true;
  page.summary.textContent = summary();
  say(`Done. ${summary()}`);
  if (leftFocus) page.results.focus({ preventScroll: items.length > 1 });
  leftFocus = false;
}

function showProgress() {
  const done = items.filter((one) => one.state === "done").length;
  page.progress.max = Math.max(1, items.length);
  page.progress.value = done;
  page.progress.hidden = page.stop.hidden = running === 0;
  if (running) page.summary.textContent = `${done} of ${plural(items.length, "image")} checked …`;
}

function summary() {
  const count = (verdict) => items.filter((one) => verdictOf(one) === verdict).length;
  const words = { generated: "generated", real: "real", uncertain: "uncertain", unreadable: "without a verdict" };
  const parts = Object.entries(words).map(([verdict, word]) => [count(verdict), word]).filter(([number]) => number > 0);
  return `${plural(items.length, "image")}: ${parts.map(([number, word]) => `${number} ${word}`).join(", ")}.`;
}

const verdictOf = (item) => (item.row ? item.row.verdict : "unreadable");

// ---- a card ----

function setVerdict(card, verdict, words) {
  card.dataset.verdict = verdict;
  card.querySelector(".words").textContent = words;
  card.querySelector("use").setAttribute("href", `#icon-${verdict}`);
}

function showResult(item) {
  const { element: card, row } = item;
  const verdict = verdictOf(item);
  setVerdict(card, verdict, VERDICTS[verdict]);
  const known = verdict !== "unreadable";
  card.querySelector(".sentence").textContent = known ? explained(row) : friendly(item);
  card.querySelector(".gauge").hidden = !known;
  card.querySelector(".numbers").hidden = !known;
  if (known) {
    showGauge(card, row);
    const numbers = Object.entries(NUMBERS).map(([name, label]) => [label, shown(row[name], name)]);
    fill(card.querySelector(".numbers tbody"), numbers);
  }
  showNotes(card, row);
  showHeatmap(card, row, item.file.name);
  showFacts(card, row && row.facts);
}

function explained(row) {
  const said = row.calibrated ? "It puts the chance that this image was generated at" : "Its raw score for “generated” is";
  const sure = `${said} ${surely(row.probability)}.`;
  const { uncertain_from: from, uncertain_to: to } = row.gauge;
  const more = {
    real: "It found little that generators leave behind.",
    generated: "It found traces such as generators leave behind.",
    uncertain: `Between ${percent(from)} and ${percent(to)} it does not decide.`,
  };
  return `${sure} ${more[row.verdict]}`;
}

function friendly(item) {
  if (!item.row) return sentence(item.error);
  const told = item.row.error || "";
  if (told.startsWith("no image")) return "This file is no image that can be read. Choose a JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP file.";
  if (told.startsWith("empty")) return "This file is empty.";
  if (told.startsWith("damaged")) return "This image is damaged, so that it cannot be read to its end. Is there another copy?";
  if (told.startsWith("more than")) return `This image is too large for this server: ${told}.`;
  return sentence(told);
}

function showGauge(card, row) {
  const { threshold, uncertain_from: from, uncertain_to: to } = row.gauge;
  const place = (selector, property, value) => { card.querySelector(selector).style[property] = `${100 * value}%`; };
  place(".part-real", "width", from);
  place(".part-uncertain", "width", to - from);
  place(".part-generated", "width", 1 - to);
  place(".tick", "left", threshold);
  place(".needle", "left", row.probability);
  const meter = card.querySelector(".meter");
  meter.setAttribute("aria-valuenow", (100 * row.probability).toFixed(1));
  meter.setAttribute(
    "aria-valuetext",
    `${surely(row.probability)}: ${VERDICTS[row.verdict]}. Uncertain from ${percent(from)} to ${percent(to)}; the threshold is at ${percent(threshold)}.`,
  );
}

function showNotes(card, row) {
  const said = row ? [...row.notes] : [];
  if (row && row.seen !== null && row.seen < 0.5) {
    said.push(`The verdict comes from ${percent(row.seen)} of the image’s pixels. “The whole image” looks at more.`);
  }
  const notes = card.querySelector(".notes");
  notes.replaceChildren(...said.map((note) => element("li", sentence(note))));
  notes.hidden = said.length === 0;
}

function showHeatmap(card, row, name) {
  const overlay = card.querySelector(".overlay");
  const heatmap = row && row.heatmap;
  card.querySelector(".heat").hidden = overlay.hidden = !heatmap;
  if (!heatmap) return;
  const scores = heatmap.tiles.map((tile) => tile.probability);
  overlay.src = heatmap.image;
  overlay.alt = `Heatmap of ${name}: ${plural(scores.length, "part")}, from ${percent(Math.min(...scores))} to ${percent(Math.max(...scores))} for “generated”.`;
  card.querySelector(".no-preview").hidden = true;
  if (card.querySelector(".original").hidden) overlay.style.position = "static";
}

function showFacts(card, facts) {
  card.querySelector(".facts").hidden = !facts;
  if (!facts) return;
  const { sentences = [], ...rest } = facts;
  card.querySelector(".fact-sentences").replaceChildren(...sentences.map((one) => element("li", one)));
  fill(card.querySelector(".facts tbody"), flat(rest));
}

// Nested facts as rows; what is not known takes no row.
function flat(facts, above = "") {
  return Object.entries(facts).flatMap(([name, value]) => {
    const label = above ? `${above}: ${FACTS[name] || name}` : FACTS[name] || name;
    if (value === null || value === false || value === "" || (Array.isArray(value) && !value.length)) return [];
    if (Array.isArray(value)) return value.flatMap((one) => (typeof one === "object" ? flat(one, label) : [[label, shown(one)]]));
    return typeof value === "object" ? flat(value, label) : [[label, shown(value)]];
  });
}

function fill(body, rows) {
  body.replaceChildren(...rows.map(([label, value]) => {
    const row = document.createElement("tr");
    const head = element("th", label);
    head.scope = "row";
    row.append(head, element("td", value));
    return row;
  }));
}

function shown(value, name = "") {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (name === "seen") return percent(value);
  if (typeof value !== "number") return String(value);
  return Number.isInteger(value) ? value.toLocaleString("en") : value.toFixed(4);
}

function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function sentence(text) {
  const told = String(text || "Something went wrong").trim();
  return told.charAt(0).toUpperCase() + told.slice(1) + (/[.!?]$/.test(told) ? "" : ".");
}

function say(text) {
  page.status.textContent = text;
}

// ---- results out ----

function records() {
  return items.map((item) => {
    const { heatmap, ...row } = item.row || { verdict: "unreadable", error: item.error };
    return { file: item.file.name, ...row };
  });
}

function csv() {
  const names = ["file", "verdict", "probability", "logit", "threshold", "uncertain_from", "uncertain_to", "calibrated",
    "views", "seen", "width", "height", "format", "notes", "error"];
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    const text = Array.isArray(value) ? value.join("; ") : String(value);
    const safe = typeof value !== "number" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text; // a spreadsheet would run it
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [names, ...records().map((row) => names.map((name) => row[name]))].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function save(name, kind, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: kind }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  say(`${name} was saved.`);
}

// ---- wiring ----

page.files.addEventListener("change", () => {
  take([...page.files.files]);
  page.files.value = "";
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  page.zone.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) page.zone.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  page.zone.classList.remove("over");
  takeTransferred(event.dataTransfer);
});
document.addEventListener("paste", (event) => takeTransferred(event.clipboardData));

function takeTransferred(transfer) {
  const files = [...transfer.files];
  if (files.length) return take(files);
  if (transfer.types.length) {
    page["zone-limits"].textContent = "That was no file. This page fetches nothing from the internet: save the image first, then drop the file.";
    say(page["zone-limits"].textContent);
  }
}

page.options.addEventListener("submit", (event) => event.preventDefault());
page.options.addEventListener("change", () => { page.again.hidden = items.length === 0; });
page.again.addEventListener("click", () => {
  for (const item of items.filter((one) => one.state === "done")) {
    item.state = "waiting";
    setVerdict(item.element, "waiting", VERDICTS.waiting);
  }
  page.again.hidden = true;
  page.results.focus({ preventScroll: true });
  say("Checking all again.");
  work();
});
page.stop.addEventListener("click", () => {
  stopping?.abort();
  page.results.focus({ preventScroll: true });
});
page.clear.addEventListener("click", () => {
  stopping?.abort();
  for (const item of items) URL.revokeObjectURL(item.element.querySelector(".original").src);
  items.length = 0;
  page.cards.replaceChildren();
  page.results.hidden = true;
  page.again.hidden = true;
  say("Cleared.");
  page.files.focus();
});
page.csv.addEventListener("click", () => save("verdicts.csv", "text/csv", csv()));
page.json.addEventListener("click", () => save("verdicts.json", "application/json", JSON.stringify({ model: model && model.name, images: records() }, null, 2)));
learnAboutModel();
