// Before anything is painted, so that a chosen theme does not flash. The page's Content-Security-Policy allows no inline script.
try {
  const theme = localStorage.getItem("flowhold.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is refused: the system's theme it is.
}
