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
const clock = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });

function begin(root) {
  for (const time of root.querySelectorAll("time[datetime]")) time.textContent = clock.format(new Date(time.dateTime));
  for (const dialog of root.querySelectorAll("dialog[open]:not(:modal)")) {
    dialog.close();
    dialog.showModal();
  }
  for (const place of root.querySelectorAll("[data-stream]")) stream(place);
}

// Regions of this page, named by their ids, become what they are in another.
function swap(html, ids) {
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const id of ids.split(" ")) {
    const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
    if (!old || !fresh) continue;
    const focused = document.activeElement?.id;
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

// [data-stream="URL"]: events whose data is HTML; each replaces the region of its id, and `end` closes.
function stream(place) {
  const source = new EventSource(place.dataset.stream);
  source.onmessage = (event) => swap(event.data, new DOMParser().parseFromString(event.data, "text/html").body.firstElementChild?.id ?? "");
  source.addEventListener("end", () => source.close());
  source.onerror = () => source.readyState === EventSource.CLOSED && toast(failed);
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
// Enter in a dialogue presses the dialogue's button, not that of the form around it.
document.addEventListener("keydown", (event) => {
  const dialog = event.key === "Enter" && event.target.matches("input") && event.target.closest("dialog");
  if (!dialog) return;
  event.preventDefault();
  dialog.querySelector(".primary, .danger")?.click();
});
begin(document);
