/** Where ranges are drawn: cells of one size, in rows, each database beginning on a row of its own. All in CSS pixels. */
export interface GridLayout {
  /** From one cell to the next; the cell itself is `gap` smaller. */
  readonly step: number;
  readonly gap: number;
  readonly columns: number;
  readonly height: number;
  /** For each database: its first row's place from above, and how many cells it has. */
  readonly blocks: readonly { readonly top: number; readonly count: number }[];
}

const LARGEST = 22;
const SMALLEST = 3;
/** Room for a database's name above its cells, where there are several. */
export const LABEL = 18;

/** The largest cells with which all ranges fit into the width and, if they can at all, into the height. */
export function layOut(counts: readonly number[], width: number, height: number): GridLayout {
  const label = counts.length > 1 ? LABEL : 0;
  for (let step = LARGEST; ; step--) {
    const columns = Math.max(1, Math.floor(width / step));
    let top = 0;
    const blocks = counts.map((count) => {
      const block = { top: top + label, count };
      top += label + Math.ceil(count / columns) * step;
      return block;
    });
    if (top <= height || step <= SMALLEST) {
      return { step, gap: step >= 8 ? 2 : 1, columns, height: Math.max(step, top), blocks };
    }
  }
}

/** The top left corner of one range's cell. */
export function cellAt(layout: GridLayout, block: number, index: number): { x: number; y: number } {
  const top = layout.blocks[block]?.top ?? 0;
  return { x: (index % layout.columns) * layout.step, y: top + Math.floor(index / layout.columns) * layout.step };
}

/** The range whose cell is at a place; undefined where there is none. */
export function rangeAt(layout: GridLayout, x: number, y: number): { block: number; index: number } | undefined {
  const column = Math.floor(x / layout.step);
  if (column < 0 || column >= layout.columns) return undefined;
  for (const [block, { top, count }] of layout.blocks.entries()) {
    const row = Math.floor((y - top) / layout.step);
    const index = row * layout.columns + column;
    if (row >= 0 && index < count) return { block, index };
    if (row < 0) return undefined;
  }
  return undefined;
}

/** How many ranges stand how, by letter. */
export function countStates(states: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of states) for (const letter of text) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  return counts;
}
