// The few s-expressions that Conduit writes into xenstore: bare atoms and lists, bounded in size and
// depth. No quoting, no comments, no dotted pairs; ocaml's sexplib reads what this writes and the reverse.

export type SExpression = string | readonly SExpression[]

/** Longest text accepted, in characters: an entry is far below the store's 2,048 bytes a node. */
export const S_EXPRESSION_CHARS = 512
const DEPTH = 4
const TOKEN = /[\s]*([()]|[A-Za-z0-9_.:/@+*-]+)/y

/** The value of `text`, or undefined when it is no single well-formed s-expression within the bounds. */
export function parseSExpression(text: string): SExpression | undefined {
  if (text.length > S_EXPRESSION_CHARS) return undefined
  const open: SExpression[][] = []
  const source = text.trimEnd()
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < source.length) {
    const token = TOKEN.exec(source)?.[1]
    if (token === undefined) return undefined
    const list = open.at(-1)
    if (token === '(') {
      if (open.length === DEPTH) return undefined
      open.push([])
    } else if (token !== ')') {
      if (list === undefined) return TOKEN.lastIndex === source.length ? token : undefined
      list.push(token)
    } else {
      if (list === undefined) return undefined
      open.pop()
      const parent = open.at(-1)
      if (parent === undefined) return TOKEN.lastIndex === source.length ? list : undefined
      parent.push(list)
    }
  }
  return undefined
}

export function formatSExpression(value: SExpression): string {
  return typeof value === 'string' ? value : `(${value.map(formatSExpression).join(' ')})`
}

/** `(head (key value) …)` as a head and a record; undefined for any other shape or a key given twice. */
export function parseRecord(text: string): { head: string; fields: Record<string, string> } | undefined {
  const value = parseSExpression(text)
  if (value === undefined || typeof value === 'string') return undefined
  const [head, ...rest] = value
  if (typeof head !== 'string') return undefined
  const fields = new Map<string, string>()
  for (const pair of rest) {
    if (typeof pair === 'string' || pair.length !== 2) return undefined
    const [key, field] = pair
    if (typeof key !== 'string' || typeof field !== 'string' || fields.has(key)) return undefined
    fields.set(key, field)
  }
  return { head, fields: Object.fromEntries(fields) }
}

/** `(head (key value) …)`; fields that are undefined are left out. */
export function formatRecord(head: string, fields: Readonly<Record<string, string | number | undefined>>): string {
  const pairs = Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]]))
  return formatSExpression([head, ...pairs])
}
