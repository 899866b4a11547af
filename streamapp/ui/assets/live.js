// Keeps what a page shows fresh: polls the API once a second while something runs and the page is visible, and
// fetches the page's parts again when more than a bar has changed. A job's page follows the job's events instead and
// asks when there is one, as long as that works. Without this script everything can still be read and sent. Words for progress are the same as in ui/words.py; change both.
"use strict";
(() => {
  const ACTIVE = ["queued", "running"];
  const UNSETTLED = ["pending", "sending"];
  const INSTANT = "less than a second";
  const SECOND = 1000;
  const SLOWEST = 30 * SECOND;
  const HIDDEN = 30 * SECOND;
  const FOLLOWED = 10 * SECOND; // between polls while events come: only the estimate changes without one
  const find = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  // A page that answers a form stands at the form's address, which cannot be asked again: it says where its list is.
  const elsewhere = find("[data-page]")?.dataset.page;
  let timer = 0;
  let busy = false;
  let quiet = 0; // polls in a row that brought nothing new, for jobs that only wait for a delivery
  let failures = 0;
  let announced = -1;
  let stream = null;
  let heard = false; // whether events come
  let again = false; // something happened while a poll was under way

  const number = (value) => Math.round(value).toLocaleString("en");
  const say = (text) => { find("#announce").textContent = text; };

  function duration(seconds) {
    const whole = Math.max(0, Math.round(seconds));
    if (whole < 1) return INSTANT;
    const two = (base, step, large, small) => {
      const part = Math.floor((whole % base) / step);
      return `${Math.floor(whole / base)} ${large}${part ? ` ${part} ${small}` : ""}`;
    };
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return two(60, 1, "min", "s");
    return whole < 86400 ? two(3600, 60, "h", "min") : two(86400, 3600, "d", "h");
  }

  function roughly(seconds) {
    const said = duration(seconds < 60 ? seconds : 60 * Math.round(seconds / 60));
    return said === INSTANT ? said : `about ${said}`;
  }

  function percent(job) {
    const { done, total } = job.progress;
    return total > 0 ? Math.max(0, Math.min(100, Math.floor((100 * done) / total))) : null;
  }

  function line(job) {
    const part = percent(job);
    let text = `${number(job.progress.done)} of ${number(job.progress.total)} parts · ${part} %`;
    if (job.status === "queued") {
      text = job.position === 1 ? "Next in line" : job.position ? `Number ${number(job.position)} in line` : "Waiting";
    } else if (part === null) {
      text = "Reading the document";
    }
    return job.eta_s === null ? text : `${text} · ${roughly(job.eta_s)} left`;
  }

  function showProgress(job, root) {
    const box = root && find("[data-progress]", root);
    if (!box) return;
    const bar = find("progress", box);
    if (job.status === "running" && percent(job) === null) {
      bar.removeAttribute("value");
    } else if (job.status === "running") {
      bar.max = job.progress.total;
      bar.value = job.progress.done;
    }
    find("[data-line]", box).textContent = line(job);
  }

  function leave() {
    if (elsewhere) location.assign(elsewhere);
    else location.reload();
  }

  async function get(url, type) {
    const answer = await fetch(url, { headers: { Accept: type }, signal: AbortSignal.timeout(20 * SECOND) });
    if ([401, 404].includes(answer.status)) leave(); // logged out, or deleted: the server says so better
    if (!answer.ok) throw new Error(`${answer.status}`);
    return type === "application/json" ? answer.json() : answer.text();
  }

  // What can be found again in another copy of the page.
  function pathTo(element) {
    const href = element.getAttribute("href");
    const details = element.closest("details[id]");
    if (element.id) return `#${CSS.escape(element.id)}`;
    if (href) return `a[href="${CSS.escape(href)}"]`;
    return details ? `#${CSS.escape(details.id)} > ${element.localName}` : "#main";
  }

  // What was opened, scrolled and focused stays so when parts of the page are replaced.
  async function reload() {
    const fresh = new DOMParser().parseFromString(await get(elsewhere || location.href, "text/html"), "text/html");
    const open = all("details[open][id]").map((each) => [each.id, find(".scroll", each)?.scrollTop]);
    const focused = document.activeElement;
    const path = pathTo(focused);
    for (const part of all("[data-part]")) {
      const other = fresh.getElementById(part.id);
      if (other) part.replaceWith(document.adoptNode(other));
    }
    if (!elsewhere) document.title = fresh.title; // what was refused is still refused
    const icon = find("link[rel=icon]");
    if (icon.href !== find("link[rel=icon]", fresh).href) icon.href = find("link[rel=icon]", fresh).getAttribute("href");
    dress();
    for (const [id, top] of open) {
      const again = document.getElementById(id);
      again?.setAttribute("open", "");
      if (again && top) find(".scroll", again)?.scrollTo(0, top);
    }
    if (!focused.isConnected) (find(path) || find("#main")).focus({ preventScroll: true });
  }

  function poll() {
    if (busy) again = true;
    else tick();
  }

  function follow(root) {
    if (stream || document.hidden || !window.EventSource) return;
    stream = new EventSource(`${root.dataset.url}/events`);
    for (const name of ["progress", "done", "delivery"]) stream.addEventListener(name, poll);
    stream.addEventListener("partial", (event) => showPartial(JSON.parse(event.data)));
    stream.addEventListener("open", () => { heard = true; });
    stream.addEventListener("error", () => {
      if (heard) poll();
      heard = false; // it comes again by itself, or never
    });
  }

  // A browser has six connections to a host, so that those of hidden pages would stop the seventh.
  function unfollow() {
    stream?.close();
    stream = null;
    heard = false;
  }

  function showPartial(partial) {
    const card = find("[data-progress]")?.closest(".card");
    if (!card) return;
    let box = find("#so-far");
    if (!box) {
      box = document.createElement("section");
      box.id = "so-far";
      box.className = "report";
      box.append(document.createElement("h2"), document.createElement("div"));
      box.firstChild.className = "subject";
      box.lastChild.className = "text plain";
      for (const part of box.children) part.dir = "auto";
      card.after(box);
    }
    box.firstChild.textContent = `${partial.subject}, so far`;
    box.lastChild.textContent = partial.text;
  }

  const steps = {
    async jobs(root) {
      const { items } = await get(root.dataset.url, "application/json"); // those that the page shows, as they are now
      const rows = new Map(all("[data-job]", root).map((row) => [row.dataset.job, row]));
      const changed = items.filter((job) => rows.get(job.id)?.dataset.status !== job.status);
      items.forEach((job) => showProgress(job, rows.get(job.id)));
      // One that is no longer like what was asked for is not among them.
      if (changed.length || [...rows.keys()].join() !== items.map((job) => job.id).join()) {
        await reload();
        const row = changed.length && find(`[data-job="${CSS.escape(changed[0].id)}"]`);
        if (row) say(`${find(".name", row).textContent}: ${find(".mark", row).textContent}`);
      }
      return SECOND;
    },

    async job(root) {
      follow(root);
      const job = await get(root.dataset.url, "application/json");
      showProgress(job, root);
      const signature = [job.status, ...job.deliveries.map((each) => `${each.state}:${each.attempts}`)].join(" ");
      if (signature !== root.dataset.signature) {
        quiet = 0;
        const before = root.dataset.signature.split(" ")[0];
        await reload();
        if (before !== job.status) say(`${root.dataset.name}: ${find(".mark").textContent}`);
        if (!find("[data-live]")) unfollow();
        return SECOND;
      }
      if (ACTIVE.includes(job.status)) {
        const part = percent(job);
        if (part !== null) document.title = document.title.replace(/^(\d+ % · )?/, `${part} % · `);
        if (part !== null && Math.floor(part / 10) > announced) {
          announced = Math.floor(part / 10);
          say(`${part} percent done`);
        }
        return heard ? FOLLOWED : SECOND;
      }
      quiet += 1; // only deliveries are left: ask less and less often
      return Math.min(SLOWEST, SECOND * 1.5 ** quiet);
    },

    async page() {
      if (getSelection().isCollapsed) await reload(); // never under a reader who is marking something
      return 3 * SECOND;
    },
  };

  async function tick() {
    clearTimeout(timer);
    const root = find("[data-live]");
    if (!root || busy) return;
    busy = true;
    let wait;
    try {
      wait = await steps[root.dataset.live](root);
      failures = 0;
    } catch {
      failures += 1;
      wait = Math.min(SLOWEST, SECOND * 2 ** failures);
    }
    busy = false;
    if (again) wait = 0;
    again = false;
    find("#offline").hidden = failures < 3;
    timer = setTimeout(tick, document.hidden ? Math.max(wait, HIDDEN) : wait);
  }

  function localTimes() {
    const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
    for (const each of all("time[datetime]:not([title])")) {
      each.title = each.textContent;
      each.textContent = format.format(new Date(each.dateTime));
    }
  }

  // A long report gets a table of contents made from its own headings.
  function contents() {
    const text = find("[data-contents]");
    const headings = text ? all("h2, h3", text) : [];
    if (headings.length < 6 || find(".contents")) return;
    const list = document.createElement("ol");
    headings.forEach((heading, index) => {
      heading.id ||= `part-${index + 1}`;
      const link = document.createElement("a");
      link.href = `#${heading.id}`;
      link.textContent = heading.textContent;
      const item = document.createElement("li");
      item.append(link);
      list.append(item);
    });
    const box = document.createElement("details");
    box.className = "contents";
    box.id = "contents";
    const label = document.createElement("summary");
    label.textContent = `Contents (${headings.length})`;
    box.append(label, list);
    text.before(box);
  }

  function sending() {
    const form = find("[data-send]");
    if (!form) return;
    const button = find("button[type=submit]", form);
    const file = find("#file", form);
    const drop = find("[data-drop]", form);
    const choose = () => {
      const chosen = find("[name=task]:checked", form)?.value;
      for (const each of all("[data-options]", form)) {
        each.hidden = each.disabled = each.dataset.options !== chosen;
        find("legend", each).hidden = true; // without this script all are there, and need to be told apart
      }
    };
    choose();
    form.noValidate = false; // what is wrong is said at once, and in a place that can be seen
    form.addEventListener("invalid", (event) => event.target.closest("details")?.setAttribute("open", ""), true);
    form.addEventListener("change", choose);
    form.addEventListener("submit", () => {
      button.disabled = true;
      button.textContent = "Sending…";
    });
    addEventListener("pageshow", () => {
      button.disabled = false;
      button.textContent = "Send";
      choose(); // a browser that comes back to the page has filled the form as it was
    });
    for (const kind of ["dragover", "dragleave", "drop"]) {
      drop.addEventListener(kind, (event) => {
        if (!event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        drop.classList.toggle("over", kind === "dragover");
        if (kind === "drop" && event.dataTransfer.files.length) file.files = event.dataTransfer.files;
      });
    }
  }

  function dress() {
    localTimes();
    contents();
  }

  document.documentElement.classList.add("js");
  dress();
  sending();
  find("#error")?.focus();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) unfollow();
    else tick();
  });
  timer = setTimeout(tick, SECOND);
})();
