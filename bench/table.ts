// A Markdown table that is also readable as it stands: columns padded to the same width, numbers to the right.

export interface Column {
  readonly title: string
  readonly numeric: boolean
}

/** @throws RangeError when a row has not one cell for each column */
export function markdownTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const odd = rows.find((row) => row.length !== columns.length)
  if (odd !== undefined) throw new RangeError(`${odd.length} cells for ${columns.length} columns`)
  const cells = rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')))
  const widths = columns.map(({ title }, i) => Math.max(3, title.length, ...cells.map((row) => row[i]!.length)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (columns[i]!.numeric ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join(' | ')} |`
  const rule = columns.map(({ numeric }, i) => (numeric ? `${'-'.repeat(widths[i]! - 1)}:` : '-'.repeat(widths[i]!)))
  return [line(columns.map(({ title }) => title)), line(rule), ...cells.map(line)].join('\n')
}
