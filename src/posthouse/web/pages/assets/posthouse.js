// What makes the pages smoother. Each works without it: links, forms and addresses are the server's.

const { copied, failed } = document.body.dataset;

function toast(text) {
  const note = document.createElement("p");
  note.className = "toast";
  note.textContent = text;
  document.getElementById("toasts").append(note);
  note.addEventListener("animationend", () => note.remove());
}

// Times come as UTC and are shown in the reader's zone; the exact UTC stays in the title.
const { lang } = document.documentElement;
const clocks = {
  full: new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "medium" }),
  time: new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
  moment: new Intl.DateTimeFormat(lang, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }),
  day: new Intl.DateTimeFormat(lang, { weekday: "short", day: "numeric" }),
};

function begin(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.textContent = clocks[time.dataset.short ?? "full"].format(new Date(time.dateTime));
  }
  for (const dialog of root.querySelectorAll("dialog[open]:not(:modal)")) {
    dialog.close();
    dialog.showModal();
  }
  for (const box of root.querySelectorAll("[data-all]")) box.parentElement.hidden = false;
  for (const place of root.querySelectorAll("[data-stream]")) stream(place);
}

// Regions of this page, named by their ids, become what they are in another.
function swap(html, ids) {
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const id of ids.split(" ")) {
    const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
    if (!old || !fresh) continue;
    const focused = document.activeElement?.id;
    for (const each of old.querySelectorAll("details[open][id]")) fresh.querySelector(`#${each.id}`)?.setAttribute("open", "");
    old.replaceWith(fresh);
    begin(fresh);
    if (focused && fresh.querySelector(`#${CSS.escape(focused)}`)) document.getElementById(focused).focus();
  }
  for (const note of page.querySelectorAll("#toasts .toast")) toast(note.textContent);
  return page;
}

function address(form, button) {
  const url = new URL(form.action);
  url.search = new URLSearchParams(new FormData(form, button));
  return url;
}

// form[data-swap="ID …"], or a button of it: sent in the background; only these regions change.
let latest = 0;
async function send(form, button) {
  const turn = ++latest;
  const isGet = form.method === "get";
  const url = isGet ? address(form, button) : new URL(form.action);
  const body = isGet ? null : new URLSearchParams(new FormData(form, button));
  const ids = button?.dataset.swap ?? form.dataset.swap;
  const regions = ids.split(" ").map((id) => document.getElementById(id));
  for (const region of regions) region?.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(url, { method: form.method, body });
    if (new URL(response.url).pathname === "/sign-in") return location.assign(response.url);
    const html = await response.text();
    if (turn !== latest) return;
    swap(html, ids);
    if (isGet) history.replaceState(null, "", response.url);
    if (!response.ok && response.status !== 422) toast(failed);
  } catch {
    toast(failed);
  } finally {
    for (const region of regions) region?.removeAttribute("aria-busy");
  }
}

// input[data-check]: the page that the form would lead to says what is wrong with the field; nothing is stored.
async function check(input) {
  if (!input.form) return;  // its region was swapped meanwhile
  const url = address(input.form);
  url.searchParams.set("go", "check");
  const response = await fetch(url);
  const found = new DOMParser().parseFromString(await response.text(), "text/html").getElementById(`${input.name}-error`);
  const place = document.getElementById(`${input.name}-error`);
  if (!found || !place) return;
  place.innerHTML = found.innerHTML;
  if (input.type === "checkbox" || input.type === "radio") return;
  if (found.childElementCount) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

// [data-stream="URL"]: events whose data is HTML; each replaces the region of its id, and `end` closes. Nothing comes while
// nobody looks.
function stream(place) {
  let source;
  const close = () => source?.close();
  const open = () => {
    close();
    if (document.hidden || !place.isConnected) return;
    source = new EventSource(place.dataset.stream);
    source.onmessage = (event) => swap(event.data, new DOMParser().parseFromString(event.data, "text/html").body.firstElementChild?.id ?? "");
    source.addEventListener("end", close);
  };
  document.addEventListener("visibilitychange", open);
  addEventListener("pagehide", close);
  open();
}

// input[data-file="ID"]: what is in the chosen file goes into that field; a file can be dropped on one with data-drop.
const largest = 1 << 20;
async function take(file, field, as) {
  const bytes = new Uint8Array(await file.slice(0, largest).arrayBuffer());
  if (as === "text") field.value = new TextDecoder().decode(bytes);
  else field.value = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  if (as === "text") field.form.requestSubmit();
}
document.addEventListener("change", (event) => {
  const { file, fileAs } = event.target.dataset;
  if (file && event.target.files.length) take(event.target.files[0], document.getElementById(file), fileAs);
});
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => {
    const field = event.target.closest?.("[data-drop]");
    if (!field || !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    if (kind === "drop") take(event.dataTransfer.files[0], field, "text");
  });
}

async function copy(button) {
  const code = button.closest(".code").querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {  // only https and localhost have a clipboard
    getSelection().selectAllChildren(code);
    if (!document.execCommand("copy")) return;
  }
  toast(copied);
}

let typing;
document.addEventListener("submit", (event) => {
  if (!event.target.dataset.swap && !event.submitter?.dataset.swap) return;
  event.preventDefault();
  send(event.target, event.submitter);
});
document.addEventListener("input", (event) => {
  const { target } = event;
  const act = target.matches("[data-check]") ? () => check(target) : target.form?.matches("[data-live]") ? () => send(target.form) : null;
  if (!act) return;
  clearTimeout(typing);
  typing = setTimeout(act, 300);
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.matches("[data-copy]")) copy(button);
  // Browsers of before 2025 don't know commandfor.
  if (button?.hasAttribute("commandfor") && !("command" in HTMLButtonElement.prototype)) {
    const dialog = document.getElementById(button.getAttribute("commandfor"));
    if (button.getAttribute("command") === "close") dialog.close();
    else dialog.showModal();
  }
});
// input[data-all="NAME"]: checks all boxes of that name in its form.
document.addEventListener("change", ({ target }) => {
  if (!target.dataset.all) return;
  for (const box of target.form.elements) if (box.name === target.dataset.all) box.checked = target.checked;
});
// Enter in a dialogue presses the dialogue's button, not that of the form around it.
document.addEventListener("keydown", (event) => {
  const dialog = event.key === "Enter" && event.target.matches("input") && event.target.closest("dialog");
  if (!dialog) return;
  event.preventDefault();
  dialog.querySelector(".primary, .danger")?.click();
});
begin(document);
