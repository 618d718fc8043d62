import { expect, it } from "vitest";
import { firstWords, withAlert, type Alert } from "./alerts";

function alert(id: string, status: Alert["status"] = "active"): Alert {
  return {
    id,
    name: id,
    symbol: "GOOG",
    timeframe: "1d",
    condition: {},
    description: "",
    status,
    webhookUrl: null,
    lastFiredAt: null,
    episodeOpen: false,
    createdAt: "2026-01-01T00:00:00Z",
  };
}

it("begins with words that the server understands", () => {
  const words = (query: string): string => firstWords(new URLSearchParams(query));
  expect(words("symbol=GOOG&signal=trend_change&direction=bullish")).toBe("bullish trend change signal on GOOG");
  expect(words("symbol=GOOG&signal=volatility&direction=neutral")).toBe("volatility signal on GOOG");
  expect(words("symbol=GOOG")).toBe("");
});

it("changes an alert where it stands and puts a new one first", () => {
  const two = [alert("a"), alert("b")];
  expect(withAlert(two, alert("b", "paused")).map(({ status }) => status)).toEqual(["active", "paused"]);
  expect(withAlert(two, alert("c")).map(({ id }) => id)).toEqual(["c", "a", "b"]);
});
