import { expect, it } from "vitest";
import type { Connection } from "../protocol/connection";
import type { MarketFrame } from "../protocol/types";
import { Live } from "./live";

function frame(symbol: string): MarketFrame {
  const bar = { timestamp: "2020-01-01T00:00:00Z", open: 1, high: 1, low: 1, close: 1, volume: 1 };
  return { type: "market", symbol, timeframe: "1d", bar, indicators: {}, signals: [], provisional: false };
}

it("asks once for a price that two parts of the page show, and leaves it with the last", () => {
  const said: string[] = [];
  const connection = {
    watch: ([symbol]: string[]) => said.push(`watch ${symbol}`),
    unwatch: ([symbol]: string[]) => said.push(`unwatch ${symbol}`),
  } as unknown as Connection;
  const live = new Live(() => connection);
  const heard: string[] = [];
  const leave = live.watch("GOOG", "1d", () => heard.push("first"));
  const leaveToo = live.watch("GOOG", "1d", () => heard.push("second"));
  live.receive(frame("GOOG"));
  live.receive(frame("MSFT"));
  expect(heard).toEqual(["first", "second"]);
  const began: boolean[] = [];
  const leaveLast = live.watch("GOOG", "1d", (_, first) => began.push(first));
  live.receive(frame("GOOG"));
  live.wanted();
  live.receive(frame("GOOG"));
  live.receive(frame("GOOG"));
  expect(began).toEqual([false, true, false]);
  leaveLast();
  leave();
  expect(said).toEqual(["watch GOOG"]);
  expect(live.wanted()).toEqual(new Map([["1d", ["GOOG"]]]));
  leaveToo();
  expect(said).toEqual(["watch GOOG", "unwatch GOOG"]);
  expect(live.wanted()).toEqual(new Map());
});
