"use strict";
(() => {
  const root = document.documentElement, keep = "gloss-theme";
  const light = () => root.dataset.theme ? root.dataset.theme === "light" : !matchMedia("(prefers-color-scheme: dark)").matches;
  try { const kept = localStorage.getItem(keep); if (kept === "light" || kept === "dark") root.dataset.theme = kept; } catch { /* not allowed */ }
  document.getElementById("theme")?.addEventListener("click", () => {
    root.dataset.theme = light() ? "dark" : "light";
    try { localStorage.setItem(keep, root.dataset.theme); } catch { /* not allowed */ }
  });
  const find = document.getElementById("find"), body = document.querySelector("table.all tbody");
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === find) { if (event.key === "Escape") find.blur(); return; }
    const name = { ArrowLeft: "previous", ArrowRight: "next", i: "index" }[event.key];
    const link = name && document.getElementById(name);
    if (link?.href) { event.preventDefault(); link.click(); }
    if (event.key === "s" && find) { event.preventDefault(); find.focus(); }
  });
  if (!body) return;
  const rows = Array.from(body.rows, row => ({ row, text: row.textContent.toLowerCase() }));
  const shown = document.getElementById("shown");
  find.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    for (const one of rows) {
      const fits = words.every(word => one.text.includes(word));
      one.row.hidden = !fits;
      n += fits;
    }
    shown.textContent = words.length ? `${n.toLocaleString("en")} of ${rows.length.toLocaleString("en")} features` : "";
  });
  const heads = Array.from(document.querySelectorAll("table.all th"));
  const value = (one, at) => { const cell = one.row.cells[at]; return "v" in cell.dataset ? cell.dataset.v : cell.textContent; };
  heads.forEach((head, at) => head.querySelector("button")?.addEventListener("click", () => {
    const numeric = head.classList.contains("r") || head.dataset.n === "1";
    const before = head.getAttribute("aria-sort");
    const down = before ? before === "ascending" : numeric && at > 0;
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const sign = down ? -1 : 1;
    rows.sort((one, other) => {
      const a = value(one, at), b = value(other, at);
      if (a === "" || b === "") return (a === "") - (b === "");  // what is not known comes last
      return sign * (numeric ? a - b : a.localeCompare(b));
    });
    body.append(...rows.map(one => one.row));
  }));
})();
