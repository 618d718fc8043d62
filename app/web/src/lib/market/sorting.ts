/** Order the rows of a table by a column. What is not known comes last, whichever way. */

export type Cell = string | number | boolean | null | undefined;

export function sorted<T extends Record<string, Cell>>(rows: readonly T[], by: string, descending: boolean): T[] {
  const turn = descending ? -1 : 1;
  return rows.toSorted((a, b) => {
    const [x, y] = [a[by], b[by]];
    if (x === null || x === undefined) return y === null || y === undefined ? 0 : 1;
    if (y === null || y === undefined) return -1;
    return typeof x === "number" && typeof y === "number" ? turn * (x - y) : turn * String(x).localeCompare(String(y), "en");
  });
}
