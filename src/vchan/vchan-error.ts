// The errors that vchan itself finds, in one place so that hot paths stay small.
import { ConduitError } from '../errors.js'

/** The peer wrote a value that cannot be. */
export function corrupt(what: string, peer: number): ConduitError {
  return new ConduitError('VCHAN_CORRUPT', `domain ${peer} wrote an impossible value: ${what}`, {
    domid: peer,
    hint: 'the peer is broken or hostile; the channel was closed',
  })
}

export function closed(peer: number): ConduitError {
  return new ConduitError('VCHAN_CLOSED', `the channel to domain ${peer} is closed`, {
    domid: peer,
    hint: 'connect again',
  })
}

export function peerGone(peer: number): ConduitError {
  return new ConduitError('ECONNRESET', `domain ${peer} vanished before it had ended its direction`, {
    domid: peer,
    hint: 'it died, or destroyed its socket: everything that it had written was delivered',
  })
}

/** This domain is another one now, to which nobody granted anything. */
export function restored(peer: number): ConduitError {
  return new ConduitError('ECONNRESET', `the channel to domain ${peer} ended with this domain's restore or migration`, {
    domid: peer,
    hint: 'connect again: a restored domain has another number, and none of its grants and event channels',
  })
}

/** A client that never said alive: it died between mapping the page and the end of the handshake. */
export function vanishedOnTheWay(peer: number): ConduitError {
  return new ConduitError('ECONNRESET', `domain ${peer} vanished while it was connecting`, {
    domid: peer,
    hint: 'it died, or gave up: wait for its next attempt',
  })
}

export function brokenPipe(peer: number, why: string): ConduitError {
  return new ConduitError('EPIPE', `write to domain ${peer}: ${why}`, {
    domid: peer,
    hint: 'nobody will read it: stop writing when the socket ends or closes',
  })
}

export function badLayout(why: string, peer: number): ConduitError {
  return new ConduitError('VCHAN_LAYOUT', `control page of domain ${peer}: ${why}`, { domid: peer })
}

/** A page that its server has not filled in yet: worth another try (seen in the field: qubes-mirage-firewall #3). */
export function unfinishedLayout(peer: number): ConduitError {
  return new ConduitError('VCHAN_LAYOUT', `control page of domain ${peer} is not filled in yet`, {
    domid: peer,
    errno: 'EAGAIN',
    hint: 'connect again in a moment',
  })
}
