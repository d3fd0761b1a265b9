// What the pages do beyond plain HTML and htmx. Nothing here is needed to use Callbook; everything listens on the
// document, so that parts which htmx brings later behave alike, and so does the page while it still arrives: this runs
// in the head, before anything can be seen. No eval, no markup from strings, nothing is stored.
(() => {
  "use strict";

  const token = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";
  const within = (event, selector) => (event.target instanceof Element ? event.target.closest(selector) : null);

  document.documentElement.classList.add("js");

  // Where a row of links is wider than the screen, the page that is shown is not among those beyond its edge.
  document.addEventListener("DOMContentLoaded", () => {
    for (const link of document.querySelectorAll("nav [aria-current]")) {
      const row = link.parentElement;
      row.scrollLeft += link.getBoundingClientRect().right - row.getBoundingClientRect().right;
    }
  });

  // ---- htmx: the CSRF header, the busy region, and failures that bring no part of a page --------------------------
  document.addEventListener("htmx:config:request", (event) => {
    const { request } = event.detail.ctx;
    if (request.method !== "GET") request.headers["X-CSRFToken"] = token();
  });

  const setBusy = (event, busy) => {
    const { target } = event.detail.ctx;
    if (target instanceof Element && target.matches(".region")) target.setAttribute("aria-busy", String(busy));
  };
  document.addEventListener("htmx:before:request", (event) => setBusy(event, true));
  document.addEventListener("htmx:finally:request", (event) => setBusy(event, false));

  // A row that another answer has replaced meanwhile is in the page still: two things done to it quickly both show.
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.target?.isConnected || !ctx.target?.matches("tr[id]")) return;
    ctx.target = document.getElementById(ctx.target.id) ?? ctx.target;
  });

  const say = (name) => {
    const region = document.getElementById("page-messages");
    const words = document.getElementById(`message-${name}`);
    if (!region || !words) return;
    region.replaceChildren(words.content.cloneNode(true));
    region.firstElementChild.dataset.passing = ""; // taken away by the next answer that is one
  };
  document.addEventListener("htmx:before:swap", (event) => {
    document.querySelector("#page-messages [data-passing]")?.remove();
    if ((event.detail.ctx.response?.status ?? 0) < 500) return;
    event.preventDefault(); // leaves page and address as they are: noSwap alone would still push the address
    say("failed");
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx && !event.detail.ctx.response) say("unreachable");
  });

  // ---- Keyboard: / search, j and k rows, Enter opens the link in focus, Esc back, ? help --------------------------
  const rowLinks = () => [...document.querySelectorAll("a[data-row-link]")];
  const moveRow = (step) => {
    const links = rowLinks();
    const row = document.activeElement?.closest("tr");
    const at = links.findIndex((link) => row?.contains(link));
    const next = at < 0 ? 0 : Math.min(Math.max(at + step, 0), links.length - 1);
    links[next]?.focus();
    links[next]?.closest("tr").scrollIntoView({ block: "nearest" });
  };
  const openMenus = () => document.querySelectorAll("details.menu[open], .filters .further[open]");
  const goBack = () => {
    const [menu] = openMenus();
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else {
      document.querySelector("a[data-back]")?.click();
    }
  };
  const openHelp = () => document.getElementById("help")?.showModal();
  const keys = {
    "/": () => document.querySelector("[data-search]")?.focus(),
    j: () => moveRow(1),
    k: () => moveRow(-1),
    "?": openHelp,
    Escape: goBack,
  };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const field = within(event, "input, select, textarea, [contenteditable]");
    if (field && event.key === "Escape") field.blur();
    const off = event.key !== "Escape" && document.documentElement.dataset.shortcuts === "off";
    if (field || off || !Object.hasOwn(keys, event.key)) return;
    if (event.key !== "Escape") event.preventDefault();
    keys[event.key]();
  });

  // ---- Back leads to the same row: its piece of the list as the address, the row in the entry of the history --------
  const noteRows = (address) => {
    for (const rows of document.querySelectorAll("tbody:not([data-address])")) rows.dataset.address = address;
  };
  document.addEventListener("htmx:after:swap", (event) => {
    const { request } = event.detail.ctx;
    if (request?.method === "GET") noteRows(request.action);
  });
  document.addEventListener("click", (event) => {
    const link = within(event, "a[data-row-link]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const row = link.getAttribute("href");
    history.scrollRestoration = "manual"; // of this entry: a length in pixels fits no shorter page
    history.replaceState({ ...history.state, row }, "", link.closest("tbody").dataset.address);
  });
  document.addEventListener("DOMContentLoaded", () => {
    noteRows(location.href);
    if (!history.state?.row) return;
    const link = rowLinks().find((each) => each.getAttribute("href") === history.state.row);
    link?.closest("tr").scrollIntoView({ block: "center" });
    link?.focus({ preventScroll: true });
  });

  // The way back to a list is the browser's own where one came from there: it leads to the same rows.
  document.addEventListener("click", (event) => {
    const link = within(event, "a[data-back-to-list]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !document.referrer || history.length < 2) return;
    const from = new URL(document.referrer);
    if (from.origin !== location.origin || from.pathname !== link.pathname) return;
    event.preventDefault();
    history.back();
  });

  // ---- Small things: menus close, filters apply, paper knows its date --------------------------------------------
  document.addEventListener("click", (event) => {
    for (const menu of openMenus()) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    if (within(event, "[data-print]")) window.print();
    if (within(event, "[data-help]")) openHelp();
  });
  document.addEventListener("change", (event) => {
    const form = within(event, "form[data-autosubmit]");
    if (!form?.contains(event.target) || !event.target.matches("select, input[type=checkbox], input[type=radio]")) return;
    // A choice that wants more words opens the fold in which they stand; boxes in a fold wait for its button.
    const { name, value } = event.target;
    const fold = form.querySelector(`details[data-opens-for="${CSS.escape(name)}=${CSS.escape(value)}"]`);
    if (fold) {
      fold.open = true;
      fold.querySelector("input").focus();
    } else if (!event.target.closest("details[data-opens-for]")) form.requestSubmit();
  });
  window.addEventListener("beforeprint", () => {
    for (const place of document.querySelectorAll("[data-printed]")) {
      const options = { dateStyle: "long", timeStyle: "short", timeZone: place.dataset.printed || undefined };
      place.textContent = `, printed ${new Intl.DateTimeFormat("en-GB", options).format(new Date())}`;
    }
  });

  // ---- Names, one after the other: a row that was stored leads to the next name -------------------------------------
  document.addEventListener("htmx:after:swap", () => {
    const done = document.querySelector("[data-named]");
    if (!done) return;
    delete done.dataset.named;
    let next = done.nextElementSibling;
    while (next && !next.querySelector("[data-name-next]")) next = next.nextElementSibling;
    next?.querySelector("[data-name-next]").select();
  });

  // ---- Who can be named: details[data-lines], its names as buttons that put their line into a field, or take it off -
  const linesOf = (fold) => fold.closest("form").elements[fold.dataset.lines];
  const names = (line, button) => line.trim().replace(/\s+(from|until)\s+\S*\d\S*/gi, "") === button.dataset.line;
  const showNamed = (fold) => {
    const lines = linesOf(fold).value.split("\n");
    for (const button of fold.querySelectorAll("button[data-line]")) {
      button.setAttribute("aria-pressed", String(lines.some((line) => names(line, button))));
    }
  };
  document.addEventListener("toggle", (event) => {
    const fold = within(event, "details[data-lines]");
    if (!fold?.open) return;
    for (const name of fold.querySelectorAll("span[data-line]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.line = name.dataset.line;
      button.append(...name.childNodes);
      name.replaceWith(button);
    }
    showNamed(fold);
  }, true);
  document.addEventListener("click", (event) => {
    const button = within(event, "button[data-line]");
    if (!button) return;
    const fold = button.closest("details");
    const field = linesOf(fold);
    const lines = field.value.split("\n").filter((line) => line.trim());
    const others = lines.filter((line) => !names(line, button));
    field.value = (others.length < lines.length ? others : [...lines, button.dataset.line]).join("\n");
    showNamed(fold);
  });
  document.addEventListener("input", (event) => {
    const fold = within(event, "form")?.querySelector("details[data-lines][open]");
    if (fold) showNamed(fold);
  });

  // ---- Upload: form[data-upload] with a .drop inside; starts when a file is dropped or chosen ---------------------
  let uploading = null;

  const bytes = (n) => {
    const [unit, size] = n < 1e6 ? ["kB", 1e3] : n < 1e9 ? ["MB", 1e6] : ["GB", 1e9];
    const amount = n / size;
    return `${amount < 10 ? amount.toFixed(1) : Math.round(amount)} ${unit}`;
  };
  const duration = (s) => (s < 90 ? `${Math.ceil(s)} s` : `${Math.ceil(s / 60)} min`);
  const progressWords = (event, started) => {
    const seconds = (Date.now() - started) / 1000;
    const rate = event.loaded / Math.max(seconds, 0.1);
    const left = seconds > 2 ? `, ${duration((event.total - event.loaded) / rate)} left` : "";
    return `${bytes(event.loaded)} of ${bytes(event.total)}, ${bytes(rate)} a second${left}`;
  };
  // The address that the answer names, if it is one of ours: as a header (htmx's or a plain 201), or by redirects followed.
  const nextAddress = (request, action) => {
    const named = ["HX-Redirect", "HX-Location", "Location"].map((name) => request.getResponseHeader(name)).find(Boolean);
    const followed = request.status < 300 && request.responseURL !== action ? request.responseURL : null;
    if (!named && !followed) return null;
    const address = new URL(named ?? followed, location.href);
    return address.origin === location.origin ? address.href : null;
  };
  const showRefusal = (form, request) => {
    const box = form.querySelector("[data-upload-error]");
    const answer = new DOMParser().parseFromString(request.responseText ?? "", "text/html");
    const part = answer.querySelector(".notice, .error");
    if (part) box.replaceChildren(document.importNode(part, true));
    else if (request.status && request.status < 500) box.textContent = answer.body.textContent.trim();
    else box.replaceChildren(form.querySelector("[data-upload-broken]").content.cloneNode(true));
  };
  const settle = (form) => {
    uploading = null;
    form.querySelector("[data-upload-state]").hidden = true;
    form.querySelector("input[type=file]").value = "";
  };

  const upload = (form) => {
    const state = form.querySelector("[data-upload-state]");
    const bar = state.querySelector("progress");
    const words = state.querySelector("[data-upload-words]");
    const request = new XMLHttpRequest();
    const started = Date.now();
    request.upload.addEventListener("progress", (event) => {
      bar.max = event.total;
      bar.value = event.loaded;
      words.textContent = event.loaded < event.total ? progressWords(event, started) : "Looking at the file…";
    });
    request.addEventListener("load", () => {
      const address = nextAddress(request, form.action);
      if (address) {
        uploading = null; // lets the page be left
        location.assign(address);
        return;
      }
      showRefusal(form, request);
      settle(form);
    });
    request.addEventListener("error", () => {
      showRefusal(form, request);
      settle(form);
    });
    request.addEventListener("abort", () => settle(form));
    request.open("POST", form.action);
    request.setRequestHeader("X-CSRFToken", token());
    request.setRequestHeader("HX-Request", "true"); // so that the server answers with HX-Location, as it does to htmx
    request.setRequestHeader("HX-Request-Type", "partial");
    form.querySelector("[data-upload-error]").replaceChildren();
    bar.removeAttribute("value");
    words.textContent = "Starting…";
    state.hidden = false;
    uploading = request;
    request.send(new FormData(form));
  };

  document.addEventListener("submit", (event) => {
    const form = within(event, "form[data-upload]");
    if (!form) return;
    event.preventDefault();
    if (!uploading) upload(form);
  });
  document.addEventListener("change", (event) => {
    const form = within(event, "form[data-upload]");
    if (form && event.target.type === "file" && event.target.files.length) form.requestSubmit();
  });
  document.addEventListener("click", (event) => {
    if (within(event, "[data-upload-cancel]")) uploading?.abort();
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      const zone = within(event, "form[data-upload]")?.querySelector(".drop");
      event.preventDefault(); // also beside the zone: a file dropped there must not replace the page
      document.querySelector(".drop.over")?.classList.remove("over");
      if (!zone || uploading) return;
      if (kind === "dragover") zone.classList.add("over");
      if (kind === "drop" && event.dataTransfer.files.length) {
        const input = zone.closest("form").querySelector("input[type=file]");
        input.files = event.dataTransfer.files;
        input.form.requestSubmit();
      }
    });
  }
  window.addEventListener("beforeunload", (event) => {
    if (uploading) event.preventDefault();
  });
})();
