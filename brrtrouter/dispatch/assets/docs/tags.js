"use strict";

// A list of contents for documents whose tags have parents (OpenAPI 3.2 section 4.22): Swagger UI shows them side by side.
window.showTagTree = (tags, page) => {
  const named = new Map(tags.map((tag) => [tag.name, tag]));
  // A parent that is not declared, or that leads back to its own child, is none.
  const isTop = (tag) => {
    const seen = new Set();
    for (let at = tag; at !== undefined && !seen.has(at.name); at = named.get(at.parent)) {
      seen.add(at.name);
      if (!named.has(at.parent)) return at === tag;
    }
    return true;
  };
  const shown = new Set();
  const listOf = (children) => {
    const list = document.createElement("ul");
    for (const tag of children) {
      if (shown.has(tag.name)) continue;
      shown.add(tag.name);
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.textContent = tag.summary || tag.name;
      link.title = tag.kind ? `${tag.name} (${tag.kind})` : tag.name;
      link.href = `#/${encodeURIComponent(tag.name)}`;
      link.addEventListener("click", () => {
        for (const heading of page.querySelectorAll("[data-tag]")) {
          if (heading.dataset.tag === tag.name) heading.scrollIntoView();
        }
      });
      item.append(link, listOf(tags.filter((child) => child.parent === tag.name)));
      list.append(item);
    }
    return list;
  };
  if (!tags.some((tag) => named.has(tag.parent))) return;
  const nav = document.createElement("nav");
  nav.className = "tag-tree";
  nav.setAttribute("aria-label", "Tags");
  nav.append(listOf(tags.filter(isTop)));
  page.before(nav);
};
