// A local world with peers in processes of their own, this process's environment, and domain 0's view of the store.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Conduit } from '../../src/conduit/conduit.js'
import { isConduitError } from '../../src/errors.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { unixSocketTransport } from '../../src/xenstore/unix-socket-transport.js'
import { type LocalWorld, localWorld, until } from './local-world.js'
import { holdingsOf, PeerProcess } from './peer-processes.js'

export interface WithstandWorld extends LocalWorld {
  readonly conduit: Conduit
  readonly store: XenstoreClient
  /** A process that has opened its environment. */
  peer(): Promise<PeerProcess>
  /** A process of another script in test/integration/children, which has opened its environment. */
  peerOf<Command extends { do: string }>(script: string): Promise<PeerProcess<Command>>
  /** Processes that run and have done nothing yet. */
  started(count: number): Promise<PeerProcess[]>
  /** Waits until the store knows no connection to `name` any more. */
  storeIsEmpty(name: string): Promise<void>
  /** Waits until the processes hold no more than they did: call it first, and what it returns at the end. */
  holdingsSettle(pids: readonly number[]): () => Promise<void>
}

export async function withstandWorld(): Promise<WithstandWorld> {
  const world = localWorld()
  const peers: { kill(): Promise<void> }[] = []
  const conduit = await Conduit.open({ substrate: await world.attach(), lingerMs: 50 })
  const store = await XenstoreClient.open(unixSocketTransport(join(world.directory, 'socket')))
  const children = (path: string): Promise<string[]> =>
    store.directory(path).catch((error: unknown) => {
      if (isConduitError(error, 'ENOENT')) return []
      throw error
    })
  const opened = async <Command>(peer: PeerProcess<Command>): Promise<PeerProcess<Command>> => {
    peers.push(peer)
    await peer.tell({ do: 'open', directory: world.directory } as Command)
    return peer
  }
  return {
    ...world,
    conduit,
    store,
    peer: () => opened(new PeerProcess()),
    peerOf: (script) =>
      opened(new PeerProcess(fileURLToPath(new URL(`../integration/children/${script}.js`, import.meta.url)))),
    started: async (count) => {
      const started = Array.from({ length: count }, () => new PeerProcess())
      peers.push(...started)
      await Promise.all(started.map((peer) => peer.tell({ do: 'start' })))
      return started
    },
    storeIsEmpty: async (name) => {
      const domains = await children('/local/domain')
      const places = [
        `/conduit/${name}/listen`,
        ...domains.flatMap((domid) => [`/local/domain/${domid}/data/vchan`, `/conduit/flows/${domid}`]),
      ]
      for (const place of places) await until(async () => (await children(place)).length === 0)
    },
    holdingsSettle: (pids) => {
      const before = pids.map(holdingsOf)
      return () =>
        until(() =>
          pids.map(holdingsOf).every(({ files, rings }, index) => {
            const { files: filesBefore, rings: ringsBefore } = before[index]!
            return files <= filesBefore && rings <= ringsBefore
          }),
        )
    },
    close: async () => {
      await store.close()
      await conduit.close()
      await Promise.all(peers.map((peer) => peer.kill()))
      await world.close()
    },
  }
}
