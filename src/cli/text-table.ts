// Rows as aligned columns. Numbers to the right, everything else to the left, two spaces between.

export type Cell = string | number

/** Lines without trailing blanks, the headings first. */
export function textTable(headings: readonly string[], rows: readonly (readonly Cell[])[]): string[] {
  const columns = headings.map((heading, column) => {
    const cells = rows.map((row) => row[column] ?? '')
    const right = cells.length > 0 && cells.every((cell) => typeof cell === 'number')
    const width = Math.max(heading.length, ...cells.map((cell) => String(cell).length))
    return { right, width }
  })
  return [headings, ...rows].map((row) =>
    columns
      .map(({ right, width }, column) => {
        const text = String(row[column] ?? '')
        return right ? text.padStart(width) : text.padEnd(width)
      })
      .join('  ')
      .trimEnd(),
  )
}
