// S-expressions as OCaml's sexplib writes and reads them, quoted atoms included, bounded in size and depth. What Conduit itself
// writes into the store needs none of this: s-expression.ts. No comments.
import type { SExpression } from './s-expression.js'

export interface SexplibLimits {
  readonly chars: number
  readonly depth: number
}

/** What sexplib quotes: `must_escape` of `sexplib0:src/sexp.ml`. */
const MUST_QUOTE = /[^!-~]|["();\\]|#\||\|#|^$/
/** Bare atoms: all that needs no quotes. `#;` in front would comment out what follows (`sexplib:src/lexer.mll`); `;` is not taken at all. */
const BARE = /[^\s"();]+/y
const BLANK = /[ \t\n\f\r]*/y
/** The escapes of `sexplib:src/lexer.mll` and `String.escaped`. */
const NAMED: Readonly<Record<string, number>> = { n: 10, t: 9, b: 8, r: 13, '\\': 92, '"': 34, "'": 39, ' ': 32 }

/** The value of `text`, or undefined when it is no single well-formed s-expression within the limits. */
export function parseSexplib(text: string, limits: SexplibLimits): SExpression | undefined {
  if (text.length > limits.chars) return undefined
  const root: SExpression[] = []
  const open: SExpression[][] = [root]
  let at = skip(text, 0)
  while (at < text.length) {
    const list = open.at(-1)!
    if (text[at] === '(') {
      if (open.length > limits.depth) return undefined
      const inner: SExpression[] = []
      list.push(inner)
      open.push(inner)
      at++
    } else if (text[at] === ')') {
      if (open.length === 1) return undefined
      open.pop()
      at++
    } else {
      const atom = text[at] === '"' ? quotedAtom(text, at) : bareAtom(text, at)
      if (atom === undefined) return undefined
      list.push(atom.value)
      at = atom.end
    }
    at = skip(text, at)
  }
  return open.length === 1 && root.length === 1 ? root[0] : undefined
}

interface Atom {
  readonly value: string
  readonly end: number
}

function skip(text: string, at: number): number {
  BLANK.lastIndex = at
  BLANK.exec(text)
  return BLANK.lastIndex
}

function bareAtom(text: string, at: number): Atom | undefined {
  BARE.lastIndex = at
  const value = BARE.exec(text)?.[0]
  if (value === undefined || /#\||\|#/.test(value)) return undefined
  return { value, end: at + value.length }
}

/** Its bytes are UTF-8, which `\ddd` and `\xhh` may spell one by one. */
function quotedAtom(text: string, at: number): Atom | undefined {
  const bytes: number[] = []
  const encoder = new TextEncoder()
  for (let i = at + 1; i < text.length; ) {
    if (text[i] === '"') {
      const value = decodeUtf8(bytes)
      return value === undefined ? undefined : { value, end: i + 1 }
    }
    if (text[i] !== '\\') {
      const character = String.fromCodePoint(text.codePointAt(i)!)
      bytes.push(...encoder.encode(character))
      i += character.length
      continue
    }
    const escaped = escapeAt(text, i + 1)
    if (escaped === undefined) return undefined
    if (escaped.byte !== undefined) bytes.push(escaped.byte)
    i = escaped.end
  }
  return undefined
}

/** What follows a backslash; no byte for one that continues the line. */
function escapeAt(text: string, at: number): { readonly byte?: number; readonly end: number } | undefined {
  const first = text[at]
  if (first === undefined) return undefined
  const named = NAMED[first]
  if (named !== undefined) return { byte: named, end: at + 1 }
  const [lineBreak] = /^\r?\n[ \t]*/.exec(text.slice(at)) ?? []
  if (lineBreak !== undefined) return { end: at + lineBreak.length }
  const [decimal] = /^[0-9]{3}/.exec(text.slice(at, at + 3)) ?? []
  if (decimal !== undefined) return Number(decimal) > 255 ? undefined : { byte: Number(decimal), end: at + 3 }
  const [, hex] = /^x([0-9a-fA-F]{2})/.exec(text.slice(at, at + 3)) ?? []
  return hex === undefined ? undefined : { byte: Number.parseInt(hex, 16), end: at + 3 }
}

function decodeUtf8(bytes: readonly number[]): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes))
  } catch {
    return undefined
  }
}

/** As `Sexp.to_string_hum` on one line, or `machine`: as `Sexp.to_string`, without the blanks that it can do without. */
export function formatSexplib(value: SExpression, { machine = false } = {}): string {
  let text = ''
  let afterBareAtom = false
  const write = (item: SExpression, first: boolean): void => {
    const bare = typeof item === 'string' && !MUST_QUOTE.test(item)
    // Two bare atoms would become one.
    if (!first && (!machine || (bare && afterBareAtom))) text += ' '
    if (typeof item === 'string') {
      text += bare ? item : quote(item)
      afterBareAtom = bare
      return
    }
    text += '('
    for (const [index, inner] of item.entries()) write(inner, index === 0)
    text += ')'
    afterBareAtom = false
  }
  write(value, true)
  return text
}

const ESCAPES: Readonly<Record<number, string>> = { 10: '\\n', 9: '\\t', 8: '\\b', 13: '\\r', 92: '\\\\', 34: '\\"' }

/** `String.escaped` of OCaml's standard library, over UTF-8. */
function quote(atom: string): string {
  const escaped = [...new TextEncoder().encode(atom)].map((byte) => {
    if (ESCAPES[byte] !== undefined) return ESCAPES[byte]
    return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, '0')}`
  })
  return `"${escaped.join('')}"`
}
