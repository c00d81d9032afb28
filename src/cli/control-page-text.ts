// A decoded control page as lines for people: who has produced and consumed what, who waits for what, who is alive.
import { END_STATE, LIVE, NOTIFY, ringBytes } from '../../protocol/vchan-page.js'
import { formatBytes } from './quantity.js'
import { textTable } from './text-table.js'
import type { ControlPage } from './traffic.js'

/** Grant references shown of each ring. */
const GRANTS_SHOWN = 4

const LIVE_WORDS: Record<number, string> = {
  [LIVE.DEAD]: 'closed',
  [LIVE.CONNECTED]: 'connected',
  [LIVE.AWAITED]: 'awaited',
}
const END_WORDS: Record<number, string> = Object.fromEntries(
  Object.entries(END_STATE).map(([word, value]) => [value, word.toLowerCase().replaceAll('_', ' ')]),
)

const meaning = (words: Record<number, string>, value: number): string => `${words[value] ?? 'impossible'} (${value})`

function notifyWords(bits: number): string {
  const known = [bits & NOTIFY.WRITE ? 'writes' : '', bits & NOTIFY.READ ? 'reads' : '']
  const words = [...known, bits & ~(NOTIFY.WRITE | NOTIFY.READ) ? 'impossible' : ''].filter((word) => word !== '')
  return `${words.join('+') || 'nothing'} (${bits})`
}

function grantWords(grants: readonly number[]): string {
  if (grants.length === 0) return 'in the control page'
  const shown = grants.slice(0, GRANTS_SHOWN).join(' ')
  return `${grants.length} pages: ${shown}${grants.length > GRANTS_SHOWN ? ' …' : ''}`
}

function ringRow(name: string, ring: ControlPage['left']): (string | number)[] {
  const size = ringBytes(ring.order)
  const fill = `${((100 * ring.used) / size).toFixed(0)}%`
  return [name, ring.order, formatBytes(size), ring.prod, ring.cons, ring.used, fill, grantWords(ring.grants)]
}

/** Lines without indentation; the first names the page. */
export function controlPageLines(title: string, page: ControlPage): string[] {
  const { endMarks } = page
  const ends =
    endMarks === undefined
      ? 'none: a crash cannot be told from an end'
      : `client ${meaning(END_WORDS, endMarks.client)}, server ${meaning(END_WORDS, endMarks.server)}, ` +
        `version ${endMarks.version} at offset ${endMarks.offset}`
  return [
    `control page of ${title}`,
    ...textTable(
      ['ring', 'order', 'size', 'prod', 'cons', 'used', 'fill', 'grants'],
      [ringRow('left  client->server', page.left), ringRow('right server->client', page.right)],
    ),
    `live    client ${meaning(LIVE_WORDS, page.clientLive)}, server ${meaning(LIVE_WORDS, page.serverLive)}`,
    `notify  client to tell of ${notifyWords(page.clientNotify)}, server to tell of ${notifyWords(page.serverNotify)}`,
    `ends    ${ends}`,
    ...(page.fault === undefined ? [] : [`fault   ${page.fault}`]),
  ]
}
