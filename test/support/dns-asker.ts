// A DNS client that sends any bytes and shows every answer, over UDP or TCP. What it does not get it can prove: see `onlyThen`.
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket as TcpSocket } from 'node:net'
import {
  DNS_FLAG,
  DNS_TYPE,
  DnsFrames,
  type DnsMessage,
  type DnsType,
  decodeDnsMessage,
  type Edns,
  encodeDnsMessage,
  frameDns,
} from '../../protocol/dns.js'

export interface QuestionOptions {
  readonly id?: number
  readonly flags?: number
  readonly class?: number
  readonly edns?: Partial<Edns>
}

let nextId = 1

/** A query for one name. */
export function dnsQuestion(name: string, type: DnsType | number = 'A', options: QuestionOptions = {}): Buffer {
  const { id = nextId++ & 0xffff, flags = DNS_FLAG.RD, edns } = options
  const plain: Edns = { udpBytes: 1232, version: 0, dnssecOk: false, extendedRcode: 0, options: [] }
  const code = typeof type === 'number' ? type : DNS_TYPE[type]
  return encodeDnsMessage({
    id,
    flags,
    questions: [{ name, type: code, class: options.class ?? 1 }],
    edns: edns && { ...plain, ...edns },
  })
}

/** @throws when it is none */
export function decoded(bytes: Buffer): DnsMessage {
  const message = decodeDnsMessage(bytes)
  if ('problem' in message) throw new Error(`${message.problem}: ${bytes.toString('hex')}`)
  return message
}

abstract class Asker {
  /** What came and nobody took yet. */
  protected readonly replies: Buffer[] = []
  readonly #takers: ((reply: Buffer) => void)[] = []

  abstract send(bytes: Buffer): void

  protected arrived(reply: Buffer): void {
    const taker = this.#takers.shift()
    if (taker === undefined) this.replies.push(reply)
    else taker(reply)
  }

  /** Those that came and were not taken. */
  get unread(): number {
    return this.replies.length
  }

  next(): Promise<Buffer> {
    const reply = this.replies.shift()
    return reply === undefined ? new Promise((resolve) => this.#takers.push(resolve)) : Promise.resolve(reply)
  }

  async ask(name: string, type: DnsType | number = 'A', options: QuestionOptions = {}): Promise<DnsMessage> {
    this.send(dnsQuestion(name, type, options))
    return decoded(await this.next())
  }

  /** Sends `bytes`, and then a query that is answered at once: its answer is the next one when `bytes` were met with silence. */
  async onlyThen(bytes: Buffer, name: string): Promise<DnsMessage> {
    this.send(bytes)
    const query = dnsQuestion(name, 'SOA', { id: 0x5afe })
    this.send(query)
    return decoded(await this.next())
  }
}

export class UdpAsker extends Asker {
  readonly #socket: Socket

  private constructor(socket: Socket) {
    super()
    this.#socket = socket
    socket.on('message', (reply) => this.arrived(reply))
    socket.on('error', () => undefined)
  }

  /** @param from an address of 127.0.0.0/8 */
  static async open(port: number, from = '127.0.0.1'): Promise<UdpAsker> {
    const socket = createSocket('udp4').bind(0, from)
    await once(socket, 'listening')
    socket.connect(port, '127.0.0.1')
    await once(socket, 'connect')
    return new UdpAsker(socket)
  }

  send(bytes: Buffer): void {
    this.#socket.send(bytes)
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()))
  }
}

export class TcpAsker extends Asker {
  readonly socket: TcpSocket
  readonly closed: Promise<unknown>

  private constructor(socket: TcpSocket) {
    super()
    this.socket = socket
    this.closed = new Promise((resolve) => socket.on('close', resolve))
    const frames = new DnsFrames()
    socket.on('error', () => undefined)
    socket.on('end', () => socket.end())
    socket.on('data', (chunk) => {
      frames.push(chunk)
      for (let frame = frames.shift(); frame !== undefined; frame = frames.shift()) this.arrived(frame)
    })
  }

  static async open(port: number): Promise<TcpAsker> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
    return new TcpAsker(socket)
  }

  send(bytes: Buffer): void {
    this.socket.write(frameDns(bytes))
  }

  async close(): Promise<void> {
    this.socket.destroy()
    await this.closed
  }
}
