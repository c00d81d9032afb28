// A DNS server that answers as a test says, truthfully or not, over UDP and TCP at one port.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket as TcpSocket } from 'node:net'
import {
  DNS_FLAG,
  DnsFrames,
  type DnsMessage,
  decodeDnsMessage,
  encodeDnsMessage,
  frameDns,
} from '../../protocol/dns.js'

export interface Asked {
  readonly bytes: Buffer
  readonly message: DnsMessage
  readonly transport: 'udp' | 'tcp'
  readonly from: { readonly address: string; readonly port: number }
  /** Sends these bytes to the asker. */
  send(bytes: Buffer): void
  /** Sends an answer to the question, with what is given here. */
  answer(message?: Partial<DnsMessage>): void
}

export class ScriptedDnsServer {
  /** Everything that was asked, in order. */
  readonly asked: Asked[] = []
  readonly #udp: Socket
  readonly #tcp: Server
  readonly #connections = new Set<TcpSocket>()
  onQuery: (asked: Asked) => void

  private constructor(udp: Socket, tcp: Server, onQuery: (asked: Asked) => void) {
    this.#udp = udp
    this.#tcp = tcp
    this.onQuery = onQuery
    udp.on('message', (bytes, from) =>
      this.#take(bytes, 'udp', from, (reply) => udp.send(reply, from.port, from.address)),
    )
    tcp.on('connection', (socket) => this.#serve(socket))
  }

  static async listen(onQuery: (asked: Asked) => void, address = '127.0.0.1'): Promise<ScriptedDnsServer> {
    for (;;) {
      const udp = createSocket('udp4').bind(0, address)
      await once(udp, 'listening')
      const tcp = createServer().listen(udp.address().port, address)
      const free = await once(tcp, 'listening').then(
        () => true,
        () => false,
      )
      // Another program may have the same port of TCP.
      if (free) return new ScriptedDnsServer(udp, tcp, onQuery)
      udp.close()
    }
  }

  /** `ADDR:PORT`. */
  get address(): string {
    const { address, port } = this.#udp.address()
    return `${address}:${port}`
  }

  async close(): Promise<void> {
    for (const socket of this.#connections) socket.destroy()
    await Promise.all([
      new Promise<void>((resolve) => this.#udp.close(() => resolve())),
      new Promise<void>((resolve) => this.#tcp.close(() => resolve())),
    ])
  }

  #serve(socket: TcpSocket): void {
    const frames = new DnsFrames()
    this.#connections.add(socket)
    socket.on('close', () => this.#connections.delete(socket))
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      frames.push(chunk)
      const from = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }
      for (let frame = frames.shift(); frame !== undefined; frame = frames.shift()) {
        this.#take(frame, 'tcp', from, (reply) => void socket.write(frameDns(reply)))
      }
    })
  }

  #take(
    bytes: Buffer,
    transport: 'udp' | 'tcp',
    from: Pick<RemoteInfo, 'address' | 'port'>,
    send: (bytes: Buffer) => void,
  ): void {
    const message = decodeDnsMessage(bytes)
    if ('problem' in message) throw new Error(`a malformed query: ${message.problem}`)
    const answer = (parts: Partial<DnsMessage> = {}) => {
      const { id, questions } = message
      send(encodeDnsMessage({ id, questions, ...parts, flags: DNS_FLAG.QR | DNS_FLAG.RA | (parts.flags ?? 0) }))
    }
    const asked = { bytes, message, transport, from, send, answer }
    this.asked.push(asked)
    this.onQuery(asked)
  }
}
