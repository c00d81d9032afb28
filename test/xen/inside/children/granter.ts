// A domain that grants pages and opens ports in every way that its peer is to try, says which on stdout, and stays until it
// is killed. Argument: the peer's domid.
import { domid } from '../../../../protocol/xen.js'
import { XenSubstrate } from '../../../../src/substrate/xen/xen-substrate.js'

/** Numbers to try to map and to bind. */
export interface Offers {
  readonly writable: number
  readonly readOnly: number
  /** Granted to a third domain. */
  readonly foreign: number
  /** Granted to the peer once. */
  readonly revoked: number
  readonly port: number
  /** For a third domain. */
  readonly foreignPort: number
  readonly closedPort: number
}

const peer = domid(Number(process.argv[2]))
const third = domid(0x7000)
const substrate = await XenSubstrate.open()
const [writable, readOnly, foreign] = [
  await substrate.share(peer, 1),
  await substrate.share(peer, 1, { access: 'r' }),
  await substrate.share(third, 1),
]
const revoked = await substrate.share(peer, 1)
revoked.close()
const [port, foreignPort, closed] = [
  await substrate.listen(peer),
  await substrate.listen(third),
  await substrate.listen(peer),
]
await closed.close()
port.ref()
new Uint8Array(writable.buffer)[0] = 17
new Uint8Array(readOnly.buffer)[0] = 23
const offers: Offers = {
  writable: writable.grefs[0]!,
  readOnly: readOnly.grefs[0]!,
  foreign: foreign.grefs[0]!,
  revoked: revoked.grefs[0]!,
  port: port.port,
  foreignPort: foreignPort.port,
  closedPort: closed.port,
}
console.log(JSON.stringify(offers))
