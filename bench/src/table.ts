/** Figures as a Markdown table that a terminal can show too. */

export function printTable(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join(' | ')} |`
  const rule = `|${widths.map((width, column) => (column === 0 ? `${'-'.repeat(width + 2)}` : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  console.log([`\n${title}\n`, line(head), rule, ...rows.map(line)].join('\n'))
}

const pad = (cell: string, width: number, column: number): string => (column === 0 ? cell.padEnd(width) : cell.padStart(width))

export const inMilliseconds = (value: number): string => (value < 1 ? value.toFixed(3) : value < 100 ? value.toFixed(1) : value.toFixed(0))
export const inSeconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`
export const inMebibytes = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`
