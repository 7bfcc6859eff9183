// Runs before the first paint, so that a chosen colour scheme never flashes the other one.
try {
  const chosen = localStorage.getItem("sightline.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is refused: the system's colours are used.
}
