// A strict reader of XML: says what is wrong with a document, or gives its elements and texts. No DTD, no namespaces.

export interface XmlDocument {
  /** Names of the elements, in document order. */
  readonly elements: readonly string[]
  /** Text between tags, entities replaced, without what is blank. */
  readonly texts: readonly string[]
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
const NAME = '[A-Za-z_][A-Za-z0-9_.:-]*'
const TOKEN = new RegExp(`<\\?xml[^<>]*\\?>|<(/?)(${NAME})((?:\\s+${NAME}="[^<"]*")*)\\s*(/?)>|([^<]+)`, 'y')
/** XML 1.0, section 2.2. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these three are allowed
const CHARACTERS = /^[\u0009\u000a\u000d\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u

/** @throws Error that says where the document is not well-formed */
export function readXml(document: string): XmlDocument {
  if (!CHARACTERS.test(document)) throw new Error('a character that XML has no place for')
  const elements: string[] = []
  const texts: string[] = []
  const open: string[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < document.length) {
    const at = TOKEN.lastIndex
    const [, closes, name, attributes = '', empty, text] = TOKEN.exec(document) ?? []
    if (TOKEN.lastIndex === 0) throw new Error(`not XML: ${document.slice(at, at + 60)}`)
    replaced(attributes)
    if (text !== undefined) {
      const shown = replaced(text).trim()
      if (shown !== '') texts.push(shown)
    } else if (closes === '/') {
      if (open.pop() !== name) throw new Error(`</${name}> closes nothing`)
    } else if (name !== undefined) {
      elements.push(name)
      if (empty === '') open.push(name)
    }
  }
  if (open.length > 0) throw new Error(`<${open.at(-1)}> is not closed`)
  return { elements, texts }
}

function replaced(text: string): string {
  return text.replace(/&([^;\s]{0,10};?)/g, (whole, entity: string) => {
    const character = entity.endsWith(';') ? ENTITIES[entity.slice(0, -1)] : undefined
    if (character === undefined) throw new Error(`${whole} is no entity`)
    return character
  })
}
