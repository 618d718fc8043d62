/** The client's addresses. Pages other than the talk are loaded when first opened. */

export type Route =
  | { at: "home" }
  | { at: "sign-in" }
  | { at: "conversation"; id: string }
  | { at: "market"; symbol: string }
  | { at: "screen" }
  | { at: "scorecard" }
  | { at: "alerts" }
  | { at: "models" }
  | { at: "model"; id: string }
  | { at: "missing"; path: string };

export type PageRoute = Exclude<Route, { at: "home" | "sign-in" | "conversation" }>;

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return null;
  }
}

export function parse(path: string): Route {
  const talk = /^\/c\/([0-9a-fA-F-]{36})\/?$/.exec(path)?.[1];
  if (talk !== undefined) return { at: "conversation", id: talk.toLowerCase() };
  const symbol = decoded(/^\/m\/(.+?)\/?$/.exec(path)?.[1] ?? "");
  if (symbol !== null && symbol !== "") return { at: "market", symbol: symbol.toUpperCase() };
  const model = /^\/models\/([0-9a-fA-F-]{36})\/?$/.exec(path)?.[1];
  if (model !== undefined) return { at: "model", id: model.toLowerCase() };
  const name = /^\/(screen|scorecard|alerts|models)\/?$/.exec(path)?.[1];
  if (name !== undefined) return { at: name as "screen" | "scorecard" | "alerts" | "models" };
  if (path.startsWith("/sign-in")) return { at: "sign-in" };
  return path === "/" ? { at: "home" } : { at: "missing", path };
}

/** Whether it is a page of its own, without composer or evidence. */
export function isPage(route: Route): route is PageRoute {
  return route.at !== "home" && route.at !== "sign-in" && route.at !== "conversation";
}

export function modelPath(id: string): string {
  return `/models/${id}`;
}

export function marketPath(symbol: string): string {
  return `/m/${encodeURIComponent(symbol)}`;
}
