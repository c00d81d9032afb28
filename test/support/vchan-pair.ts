// Two domains of an in-process hypervisor and a channel between them.
import { type Domid, domid } from '../../protocol/xen.js'
import { MemoryHypervisor } from '../../src/substrate/memory.js'
import type { Substrate } from '../../src/substrate/substrate.js'
import { VchanChannel } from '../../src/vchan/channel.js'
import type { ServeOptions } from '../../src/vchan/serve.js'

export interface VchanPair {
  readonly hypervisor: MemoryHypervisor
  readonly serverDomain: Substrate
  readonly clientDomain: Substrate
  readonly server: VchanChannel
  readonly client: VchanChannel
  /** Close both ends and check that nothing is left. */
  close(): Promise<void>
}

export interface PairOptions extends Partial<ServeOptions> {
  readonly manual?: boolean
}

export const SERVER: Domid = domid(1)
export const CLIENT: Domid = domid(2)

export async function vchanPair({ manual = false, ...options }: PairOptions = {}): Promise<VchanPair> {
  const hypervisor = new MemoryHypervisor({ manual })
  const serverDomain = hypervisor.createDomain(SERVER)
  const clientDomain = hypervisor.createDomain(CLIENT)
  const serve = { leftBytes: 4096, rightBytes: 4096, spinMicros: 0, ...options }
  const server = await VchanChannel.serve(serverDomain, CLIENT, serve)
  const client = await VchanChannel.connect(clientDomain, SERVER, server.ringRef, server.port, {
    spinMicros: serve.spinMicros,
  })
  if (!manual) await server.connected()
  const close = async (): Promise<void> => {
    await Promise.all([client.close(), server.close()])
    hypervisor.assertClean()
  }
  return { hypervisor, serverDomain, clientDomain, server, client, close }
}
