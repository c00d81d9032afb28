// Reads the hypervisor's answer to MAP: which pages of which files, and which bytes are the owner's to clear. The
// hypervisor is this user's own, yet the files it passes on are a peer's: sealed and long enough, or refused.
import { NONE } from '../../../protocol/local-control.js'
import { PAGE_BYTES } from '../../../protocol/xen.js'
import { ConduitError } from '../../errors.js'
import { native, systemError } from '../../native.js'
import type { Answer } from './control-client.js'
import type { Segment } from './local-pages.js'

const WORDS_A_SEGMENT = 4

function sealedBytes(fd: number): number {
  try {
    return native().sealedBytes(fd)
  } catch (cause) {
    throw systemError(cause, 'the file of a granted page', 'GRANT_INVALID')
  }
}

/**
 * The segments to map, `pages` pages in all.
 * @throws ConduitError GRANT_INVALID for a page outside its file, a file that could shrink, or another number of pages
 */
export function mapSegments(answer: Answer, pages: number): Segment[] {
  const segments: Segment[] = []
  let total = 0
  for (let at = 0; at + WORDS_A_SEGMENT <= answer.words.length; at += WORDS_A_SEGMENT) {
    const [file, firstPage, count] = answer.words.slice(at, at + 3) as [number, number, number]
    const fd = answer.fds[file]
    if (fd === undefined || (firstPage + count) * PAGE_BYTES > sealedBytes(fd)) {
      throw new ConduitError('GRANT_INVALID', 'a granted page lies outside the file that was passed for it')
    }
    segments.push({ fd, firstPage, pages: count })
    total += count
  }
  if (total !== pages) throw new ConduitError('GRANT_INVALID', `asked for ${pages} pages and was given ${total}`)
  return segments
}

/** The owners' notify bytes that fall into the mapping, as offsets from its start. */
export function ownerNotifyBytes(words: readonly number[]): number[] {
  const offsets: number[] = []
  let start = 0
  for (let at = 0; at + WORDS_A_SEGMENT <= words.length; at += WORDS_A_SEGMENT) {
    const [, firstPage, pages, notifyOffset] = words.slice(at, at + 4) as [number, number, number, number]
    const inSegment = notifyOffset - firstPage * PAGE_BYTES
    if (notifyOffset !== NONE && inSegment >= 0 && inSegment < pages * PAGE_BYTES) offsets.push(start + inSegment)
    start += pages * PAGE_BYTES
  }
  return offsets
}
