// Asks jitsud, where one serves the store, to boot the service behind a name that nobody holds. All who want a name meanwhile
// share one question.
import {
  formatSummon,
  JITSUD_NAME,
  type NameAddress,
  namePath,
  parseSummonReply,
  SUMMON_BYTES,
  type SummonReply,
} from '../../protocol/conduit.js'
import { ConduitError, isConduitError } from '../errors.js'
import { ConduitMessageSocket } from '../vchan/message-socket.js'
import { Slots } from '../xenstore/slots.js'
import type { ConduitContext } from './context.js'
import { untilAborted } from './deadline.js'
import type { DialedChannel } from './dialer.js'

/** Questions at a time of one process. */
const QUESTIONS = 16
/** Ample for one message either way. */
const RING_BYTES = 4096
const JITSUD: NameAddress = { kind: 'name', name: JITSUD_NAME, port: undefined }
/** There is no jitsud after all, or none that answers: the name is what it was. */
const NOBODY: ReadonlySet<string> = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'CONDUIT_MODE', 'EACCES', 'EPIPE'])

export type DialJitsud = (
  address: NameAddress,
  options: { readonly mode: 'message'; readonly ringBytes: number; readonly signal: AbortSignal },
) => Promise<DialedChannel>

interface Question {
  readonly answer: Promise<SummonReply | undefined>
  readonly given: AbortController
  askers: number
}

export class Summoner {
  readonly #context: ConduitContext
  readonly #dial: DialJitsud
  readonly #questions = new Map<string, Question>()
  readonly #slots = new Slots(QUESTIONS)

  constructor(context: ConduitContext, dial: DialJitsud) {
    this.#context = context
    this.#dial = dial
  }

  /**
   * True when the service behind the name is ready; false when no jitsud serves this store, or knows no such service.
   * @throws ConduitError BOOT_FAILED, BOOT_TIMEOUT, CONDUIT_PROTOCOL; the signal's reason
   */
  async summon(name: string, signal: AbortSignal): Promise<boolean> {
    if (name === JITSUD_NAME || !(await this.#isServed())) return false
    const question = this.#questions.get(name) ?? this.#ask(name)
    question.askers++
    try {
      const reply = await untilAborted(question.answer, signal)
      if (reply?.kind === 'failed') {
        throw new ConduitError(reply.code, `${name} was not booted: ${reply.reason}`, {
          endpoint: name,
          hint: 'jitsud status and its log say more, on the machine where it runs',
        })
      }
      return reply?.kind === 'ready'
    } finally {
      if (--question.askers === 0) question.given.abort(new ConduitError('ECONNRESET', 'nobody waits for it'))
    }
  }

  #isServed(): Promise<boolean> {
    return this.#context.store.exists(namePath(JITSUD_NAME)).catch((error: unknown) => {
      if (isConduitError(error, 'XENSTORE_DISCONNECTED')) return false
      throw error
    })
  }

  #ask(name: string): Question {
    const given = new AbortController()
    const answer = this.#answerTo(name, given.signal)
    const question = { answer, given, askers: 0 }
    this.#questions.set(name, question)
    const forget = (): void => {
      if (this.#questions.get(name) === question) this.#questions.delete(name)
    }
    answer.then(forget, forget)
    given.signal.addEventListener('abort', forget)
    return question
  }

  /** Undefined when there is nobody to answer. */
  async #answerTo(name: string, signal: AbortSignal): Promise<SummonReply | undefined> {
    const release = await this.#slots.acquire(signal)
    try {
      const dialed = await this.#dial(JITSUD, { mode: 'message', ringBytes: RING_BYTES, signal })
      const socket = new ConduitMessageSocket(dialed.channel, { ...dialed.identity, maxMessageBytes: SUMMON_BYTES })
      return await this.#converse(socket, dialed, { name, signal })
    } catch (error) {
      if (isConduitError(error) && NOBODY.has(error.code)) return undefined
      throw error
    } finally {
      release()
    }
  }

  async #converse(
    socket: ConduitMessageSocket,
    dialed: DialedChannel,
    { name, signal }: { readonly name: string; readonly signal: AbortSignal },
  ): Promise<SummonReply | undefined> {
    dialed.onPeerLost = (error) => void socket.destroy(error)
    this.#context.background.run(new Promise<void>((resolve) => void socket.once('close', () => resolve())))
    socket.once('close', dialed.done)
    socket.on('error', () => undefined)
    try {
      socket.send(formatSummon(name))
      const text = await untilAborted(socket.receive(), signal)
      if (text === null) return undefined
      const reply = parseSummonReply(text.toString())
      if (reply !== undefined) return reply
      throw new ConduitError('CONDUIT_PROTOCOL', `jitsud answered ${JSON.stringify(text.toString().slice(0, 64))}`, {
        endpoint: name,
        hint: 'jitsud is of another version',
      })
    } finally {
      void socket.destroy()
    }
  }
}
