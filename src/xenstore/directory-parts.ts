// Lists a directory whose names do not fit into one reply, part by part, from the start again when it changed meanwhile.
import { encodeStrings } from '../../protocol/xenstore-wire.js'
import { replyStrings } from './replies.js'
import type { ChannelRequest, RequestChannel } from './request-channel.js'
import { errorFromStore } from './wire-error.js'

/** More bytes of names than that are no directory but an endless reply. */
const NAMES_BYTES_MAX = 64 * 1024 * 1024
const ATTEMPTS = 16

/**
 * The names of all children.
 * @throws ConduitError XENSTORE_CONFLICT when the directory changed during each of several attempts; XENSTORE_PROTOCOL
 */
export async function directoryParts(
  channel: RequestChannel,
  path: string,
  request: Pick<ChannelRequest, 'transactionId' | 'signal'>,
): Promise<string[]> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const names = await oneAttempt(channel, path, request)
    if (names !== undefined) return names
  }
  throw errorFromStore('EAGAIN', 'DIRECTORY_PART', path)
}

/** `undefined` when the generation changed between two parts. */
async function oneAttempt(
  channel: RequestChannel,
  path: string,
  request: Pick<ChannelRequest, 'transactionId' | 'signal'>,
): Promise<string[] | undefined> {
  const names: string[] = []
  let firstGeneration: string | undefined
  for (let offset = 0; ; ) {
    const payload = encodeStrings([path, String(offset)])
    const reply = await channel.request({ ...request, type: 'DIRECTORY_PART', payload, endpoint: path })
    const [generation, ...part] = replyStrings(channel, reply, 2)
    firstGeneration ??= generation
    if (generation !== firstGeneration) return undefined
    const last = part.at(-1) === ''
    if (last) part.pop()
    if (part.includes('')) throw channel.breakOff('a child without a name')
    for (const name of part) names.push(name)
    if (last) return names
    offset += part.reduce((bytes, name) => bytes + name.length + 1, 0)
    if (offset > NAMES_BYTES_MAX) throw channel.breakOff('a directory without end')
  }
}
