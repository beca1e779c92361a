// What is wrong with a page for who uses a keyboard, a screen reader, or weak eyes: a list of sentences.
const faults = [];
const all = (selector) => [...document.querySelectorAll(selector)];

if (document.documentElement.lang !== "en" || !document.title) faults.push("no language or title");
if (all("h1").length !== 1 || all("main").length !== 1) faults.push("not one heading and one main part");
let last = 1;
for (const heading of all("h1, h2, h3")) {
  const level = Number(heading.tagName[1]);
  if (level > last + 1) faults.push("skips to " + heading.textContent);
  last = level;
}
for (const input of all("input:not([type=hidden]), select")) if (!input.labels.length) faults.push("no label: " + input.name);
for (const cell of all("thead th")) if (cell.scope !== "col") faults.push("no scope: " + cell.textContent);
for (const link of all("a, button")) if (!link.textContent.trim() && !link.ariaLabel) faults.push("no name: " + link.outerHTML);

// Contrast as WCAG 2 has it.
const parts = (color) => color.match(/[\d.]+/g).map(Number);
const linear = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const light = (color) => {
  const [red, green, blue] = parts(color).map((value) => linear(value / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const behind = (element) => {
  for (let each = element; each; each = each.parentElement) {
    const color = getComputedStyle(each).backgroundColor;
    if (parts(color)[3] !== 0) return color;
  }
  return "rgb(255, 255, 255)";
};
for (const element of all("body *")) {
  const speaks = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!speaks || !element.getClientRects().length) continue;
  const [more, less] = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
  const contrast = (more + 0.05) / (less + 0.05);
  if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(1)}: ${element.textContent.trim().slice(0, 40)}`);
}
return faults;
