// Runs before the first paint, so that a chosen colour scheme never flashes the other one.
try {
  const chosen = localStorage.getItem("sightline.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  const wanted = [localStorage.getItem("sightline.language"), ...navigator.languages].find((tag) => /^(zh|en)\b/i.test(tag ?? ""));
  // The page is written in English: such a reader need not wait for its texts.
  if (!/^zh/i.test(wanted ?? "")) document.documentElement.dataset.language = "en";
} catch {
  // Storage is refused: the system's colours are used.
}
