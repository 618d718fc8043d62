/** Where this tab is; the addresses are in `routes.ts`. */

import { parse, type Route } from "./routes";

export class Router {
  route = $state.raw<Route>(parse(location.pathname));
  /** What follows the `?`; a new object at every step. */
  query = $state.raw<URLSearchParams>(new URLSearchParams(location.search));

  constructor() {
    window.addEventListener("popstate", () => this.read());
  }

  private read(): void {
    this.route = parse(location.pathname);
    this.query = new URLSearchParams(location.search);
  }

  go(path: string, how: "push" | "replace" = "push"): void {
    if (path !== location.pathname + location.search + location.hash) {
      if (how === "push") history.pushState(null, "", path);
      else history.replaceState(null, "", path);
    }
    this.read();
  }

  /** Follow a link of ours, unless a new tab or window is asked for. */
  follow(event: MouseEvent, path: string): void {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return;
    event.preventDefault();
    this.go(path);
  }
}
