// What the theme leaves out for keyboards and screen readers: what scrolls can be focused, the
// search has a name, and no two navigations have the same.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  for (const code of document.querySelectorAll(".md-typeset pre > code")) code.tabIndex = 0;
  const seen = new Map();
  for (const nav of document.querySelectorAll("nav")) {
    const label = document.getElementById(nav.getAttribute("aria-labelledby"));
    const said = nav.getAttribute("aria-label") || label?.textContent.trim();
    const name = said || nav.querySelector(".md-nav__title")?.textContent.trim();
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    if (!said || count > 1) {
      nav.removeAttribute("aria-labelledby");
      nav.setAttribute("aria-label", count > 1 ? `${name}, ${count}` : name);
    }
  }
  // the theme wraps tables in boxes that scroll when its own script runs
  setTimeout(() => {
    for (const box of document.querySelectorAll(".md-typeset__scrollwrap")) box.tabIndex = 0;
  }, 300);
});
