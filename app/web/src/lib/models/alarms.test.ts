import { expect, it } from "vitest";
import type { Api } from "../rest";
import { Alarms, figures, type Alarm } from "./alarms.svelte";

const alarm: Alarm = {
  id: "a", modelId: "m", model: "variance@1", kind: "inputs_drifted", figure: 0.41237, threshold: 0.25, measuredOver: "60 values",
  words: "Inputs are far from where it learned.", openedAt: "2026-11-26T12:00:00Z", looks: 1, reopened: 0, acknowledgedAt: null,
};

function serverWith(items: Alarm[]): { api: Api; asked: string[] } {
  const asked: string[] = [];
  const api = {
    get: (path: string) => {
      asked.push(path);
      return Promise.resolve({ items: [...items] });
    },
    post: (path: string) => {
      asked.push(path);
      const at = items.findIndex(({ id }) => path.includes(`/${id}/`));
      const found = items[at];
      if (found !== undefined) items[at] = { ...found, acknowledgedAt: "2026-11-26T13:00:00Z" };
      return Promise.resolve({});
    },
  } as unknown as Api;
  return { api, asked };
}

it("counts what nobody has seen, and keeps what was seen until it is over", async () => {
  const { api } = serverWith([alarm, { ...alarm, id: "b" }]);
  const alarms = new Alarms(api);
  alarms.begin(true);
  await alarms.load();
  expect(alarms.unseen).toBe(2);
  await alarms.acknowledge("a");
  expect([alarms.open.length, alarms.unseen]).toEqual([2, 1]);
});

it("asks for nothing where somebody is no administrator", async () => {
  const { api, asked } = serverWith([alarm]);
  const alarms = new Alarms(api);
  alarms.begin(false);
  await alarms.load();
  expect([asked, alarms.unseen]).toEqual([[], 0]);
});

it("says how far a figure lies beyond its threshold", () => {
  expect(figures(alarm)).toBe("0.412, threshold 0.25, over 60 values");
  expect(figures({ ...alarm, figure: null })).toBe("");
});
