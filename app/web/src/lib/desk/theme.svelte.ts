/** Dark and light: the system's choice until somebody makes their own. */

export type Theme = "system" | "light" | "dark";

const KEY = "outcry.theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

export function savedTheme(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

/** What is chosen, and what that means on this screen now. */
class ThemeState {
  chosen = $state<Theme>(savedTheme());
  private systemDark = $state(system.matches);
  dark = $derived(this.chosen === "dark" || (this.chosen === "system" && this.systemDark));

  constructor() {
    system.addEventListener("change", (event) => (this.systemDark = event.matches));
  }
}

export const theme = new ThemeState();

export function applyTheme(next: Theme): void {
  theme.chosen = next;
  if (next === "system") {
    localStorage.removeItem(KEY);
    delete document.documentElement.dataset["theme"];
  } else {
    localStorage.setItem(KEY, next);
    document.documentElement.dataset["theme"] = next;
  }
}

export function nextTheme(): Theme {
  if (theme.chosen === "system") return theme.dark ? "light" : "dark";
  return theme.chosen === "light" ? "dark" : "light";
}
