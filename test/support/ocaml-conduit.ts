// ocaml-conduit's rendezvous as its code does it, one store request after the other (mirage/ocaml-conduit:
// src/conduit-mirage/conduit_xenstore.ml), over ocaml-vchan's: keys that stay until the channel is closed, no end marks.
import { type Domid, domid, evtchnPort, gref } from '../../protocol/xen.js'
import type { Substrate } from '../../src/substrate/substrate.js'
import { VchanChannel } from '../../src/vchan/channel.js'
import { ConduitSocket } from '../../src/vchan/socket.js'
import { XenstoreClient } from '../../src/xenstore/client.js'

export interface Direct {
  /** The name it claims, which ocaml-conduit reads and then forgets. */
  readonly claimed: string
  readonly domid: Domid
  readonly port: string
}

export class OcamlConduit {
  readonly store: XenstoreClient
  readonly #substrate: Substrate
  readonly #name: string
  readonly #sockets: ConduitSocket[] = []

  private constructor(substrate: Substrate, store: XenstoreClient, name: string) {
    this.#substrate = substrate
    this.store = store
    this.#name = name
  }

  /** register: fail unless /conduit can be read, read the own domid, write it. No exclusivity. */
  static async register(substrate: Substrate, name: string): Promise<OcamlConduit> {
    const store = await XenstoreClient.open(() => substrate.xenstore())
    await store.read('/conduit')
    await store.write(`/conduit/${name}`, await store.read('domid'))
    return new OcamlConduit(substrate, store, name)
  }

  get domid(): Domid {
    return this.#substrate.domid
  }

  /** The first half of connect: the request. */
  async request(remote: string, port: string): Promise<Domid> {
    const peer = domid(Number(await this.store.readText(`/conduit/${remote}`)))
    await this.store.write(`/conduit/${remote}/${this.#name}/${port}`, port)
    return peer
  }

  async connect(remote: string, port: string): Promise<ConduitSocket> {
    return this.open(await this.request(remote, port), port)
  }

  /** Vchan.client: wait for the keys, map. */
  async open(peer: Domid, port: string): Promise<ConduitSocket> {
    const path = `/local/domain/${peer}/data/vchan/${this.domid}/${port}`
    const keys = await this.#until(path, async () => {
      const ringRef = gref(Number(await this.store.readText(`${path}/ring-ref`)))
      return { ringRef, port: evtchnPort(Number(await this.store.readText(`${path}/event-channel`))) }
    })
    return this.#socket(await VchanChannel.connect(this.#substrate, peer, keys.ringRef, keys.port))
  }

  /** One round of listen: the first port of the first client; the whole of its directory goes. */
  async accept(): Promise<Direct> {
    const path = `/conduit/${this.#name}`
    const [claimed, port] = await this.#until(path, async () => {
      const [client] = await this.store.directory(path)
      const [first] = await this.store.directory(`${path}/${client}`)
      if (client === undefined || first === undefined) throw new Error('nobody yet')
      return [client, first] as const
    })
    const peer = domid(Number(await this.store.readText(`/conduit/${claimed}`)))
    await this.store.remove(`${path}/${claimed}`)
    return { claimed, domid: peer, port }
  }

  /** Vchan.server: blocks until the client has mapped. The keys go when it is closed. */
  async serve({ domid: peer, port }: Direct): Promise<ConduitSocket> {
    const rings = { leftBytes: 4096, rightBytes: 4096, endMarks: false }
    const channel = await VchanChannel.serve(this.#substrate, peer, rings)
    const path = `/local/domain/${this.domid}/data/vchan/${peer}/${port}`
    const { store } = this
    await store.transaction(async (transaction) => {
      for (const [leaf, value] of [
        ['ring-ref', channel.ringRef],
        ['event-channel', channel.port],
      ] as const) {
        await store.write(`${path}/${leaf}`, String(value), { transaction })
        const rights = [
          { access: 'n', domid: this.domid },
          { access: 'r', domid: peer },
        ] as const
        await store.setPermissions(`${path}/${leaf}`, rights, { transaction })
      }
    })
    await channel.connected()
    const socket = this.#socket(channel)
    socket.once(
      'close',
      () => void store.remove(`/local/domain/${this.domid}/data/vchan/${peer}`).catch(() => undefined),
    )
    return socket
  }

  /** What the domain's death does: ocaml-conduit itself never takes a name back. */
  async die(): Promise<void> {
    const closed = this.#sockets.map((socket) => {
      const close = new Promise<void>((resolve) => (socket.closed ? resolve() : socket.once('close', () => resolve())))
      socket.destroy()
      return close
    })
    await Promise.all(closed)
    await this.store.remove(`/conduit/${this.#name}`).catch(() => undefined)
    await this.store.close()
    await this.#substrate.close()
  }

  #socket(channel: VchanChannel): ConduitSocket {
    const socket = new ConduitSocket(channel, {})
    socket.on('error', () => undefined)
    this.#sockets.push(socket)
    return socket
  }

  /** ocaml's Xs.wait: look at first and at each event of the watch, until looking succeeds. */
  async #until<T>(path: string, look: () => Promise<T>): Promise<T> {
    for await (const _event of this.store.watches(path)) {
      try {
        return await look()
      } catch {}
    }
    throw new Error('the watch ended')
  }
}
