// Applies the chosen theme before anything is painted, so that the page does not flash in the other one. This is a file
// because the page's Content-Security-Policy allows no inline script.
try {
  const theme = localStorage.getItem("flowhold.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // The browser refuses storage, so the page has the system's theme.
}
