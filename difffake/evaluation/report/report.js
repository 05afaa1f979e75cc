"use strict";
// Tables are sorted by their headers and filtered by the words in the search field. Without scripts the page is complete.
(() => {
  const number = (text) => {
    const found = text.trim().replace(/,/g, "").match(/^[-+−]?\d+(\.\d+)?/);
    return found ? Number(found[0].replace("−", "-")) : NaN;
  };
  // A cell without a value is last in both directions.
  const compare = (column, isText, sign) => (one, other) => {
    const [a, b] = [one, other].map((row) => row.cells[column].textContent.trim());
    if (isText) return sign * a.localeCompare(b, "en", { numeric: true });
    const [x, y] = [number(a), number(b)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return sign * (x - y);
  };
  const sort = (table, header) => {
    const isText = !header.classList.contains("number");
    const first = isText ? "ascending" : "descending";
    const other = isText ? "descending" : "ascending";
    const direction = header.ariaSort === first ? other : first;
    for (const each of table.tHead.rows[0].cells) if (each.ariaSort) each.ariaSort = "none";
    header.ariaSort = direction;
    const body = table.tBodies[0];
    const rows = [...body.rows].sort(compare(header.cellIndex, isText, direction === "ascending" ? 1 : -1));
    body.append(...rows);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    for (const header of table.tHead.rows[0].cells) {
      if (header.classList.contains("range")) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      header.ariaSort = "none";
      button.addEventListener("click", () => sort(table, header));
    }
  }
  const field = document.getElementById("filter");
  const count = document.getElementById("count");
  const all = [...document.querySelectorAll("table.sortable > tbody > tr")];
  const filter = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of all) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    for (const table of document.querySelectorAll(".table")) {
      const rows = [...table.querySelectorAll("tbody > tr")];
      table.hidden = words.length > 0 && rows.every((row) => row.hidden);
    }
    count.textContent = words.length ? `${shown} of ${all.length} rows` : "";
    if (words.length) for (const part of document.querySelectorAll("details.results")) part.open = true;
  };
  if (field) {
    field.parentElement.hidden = all.length < 2;
    field.addEventListener("input", filter);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { field.value = ""; filter(); }
    });
    filter();  // a browser may keep what was typed before the page was loaded again
  }
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const part of closed) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of closed) part.open = false; });
})();
