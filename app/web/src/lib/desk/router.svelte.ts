/** Three addresses: `/`, `/sign-in`, `/c/{id}`. */

export type Route = { at: "home" } | { at: "sign-in" } | { at: "conversation"; id: string };

function parse(path: string): Route {
  const found = /^\/c\/([0-9a-fA-F-]{36})\/?$/.exec(path);
  if (found?.[1] !== undefined) return { at: "conversation", id: found[1].toLowerCase() };
  return path.startsWith("/sign-in") ? { at: "sign-in" } : { at: "home" };
}

export class Router {
  route = $state.raw<Route>(parse(location.pathname));

  constructor() {
    window.addEventListener("popstate", () => (this.route = parse(location.pathname)));
  }

  go(path: string, how: "push" | "replace" = "push"): void {
    if (path !== location.pathname + location.hash) {
      if (how === "push") history.pushState(null, "", path);
      else history.replaceState(null, "", path);
    }
    this.route = parse(location.pathname);
  }
}
