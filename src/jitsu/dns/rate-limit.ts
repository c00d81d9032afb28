// How many answers a network gets over UDP, where a source may be forged and the answer is a weapon: an account a prefix, as BIND's
// "response rate limiting" has it. TCP has shown who it is and is never limited.
import { ipBytes } from '../../../protocol/ip-address.js'

/** How many answers go out over UDP. */
export interface RateLimitOptions {
  /** Answers a second for each network, 1,000 by default: NSD's `rrl-ratelimit` is 200, but for each question of it. */
  readonly answersPerSecond?: number
  /** Every so manieth answer over the limit goes out truncated, so that who is real asks over TCP: 2 by default; 0: none. */
  readonly slip?: number
  /** Seconds that a network which went on asking must be quiet: 15 by default, as BIND's `window`. */
  readonly windowSeconds?: number
  /** Whether 127.0.0.0/8 and ::1 are limited as well: nobody forges those from outside. False by default. */
  readonly loopback?: boolean
}

/** `slip`: truncated, so that who is real asks over TCP. */
export type RateDecision = 'send' | 'slip' | 'drop'

/** BIND's max-table-size. The oldest account makes room. */
const ACCOUNTS_MAX = 20_000

interface Account {
  balance: number
  atMs: number
  overLimit: number
}

export class RateLimit {
  readonly #perSecond: number
  readonly #slip: number
  readonly #debtMax: number
  readonly #loopback: boolean
  readonly #accounts = new Map<string, Account>()

  /** @throws RangeError for a number that cannot be */
  constructor({ answersPerSecond = 1000, slip = 2, windowSeconds = 15, loopback = false }: RateLimitOptions = {}) {
    if (!(answersPerSecond > 0)) throw new RangeError(`answersPerSecond must be above 0, not ${answersPerSecond}`)
    if (!Number.isInteger(slip) || slip < 0) throw new RangeError(`slip must be a whole number from 0 on, not ${slip}`)
    if (!(windowSeconds >= 0)) throw new RangeError(`windowSeconds must be 0 or more, not ${windowSeconds}`)
    this.#perSecond = answersPerSecond
    this.#slip = slip
    this.#debtMax = answersPerSecond * windowSeconds
    this.#loopback = loopback
  }

  /** Networks with an account. */
  get size(): number {
    return this.#accounts.size
  }

  /** One more answer for `address`, at `nowMs` of a clock that never goes back. */
  decide(address: string, nowMs: number): RateDecision {
    if (!this.#loopback && isLoopback(address)) return 'send'
    const account = this.#account(networkOf(address), nowMs)
    if (account.balance >= 0) return 'send'
    account.overLimit++
    return this.#slip > 0 && account.overLimit % this.#slip === 0 ? 'slip' : 'drop'
  }

  #account(network: string, nowMs: number): Account {
    const known = this.#accounts.get(network)
    const account = known ?? { balance: this.#perSecond, atMs: nowMs, overLimit: 0 }
    // The order of the map is that of the last use.
    if (known !== undefined) this.#accounts.delete(network)
    else if (this.#accounts.size >= ACCOUNTS_MAX) this.#accounts.delete(this.#accounts.keys().next().value!)
    this.#accounts.set(network, account)
    const earned = ((nowMs - account.atMs) / 1000) * this.#perSecond
    account.atMs = nowMs
    account.balance = Math.max(-this.#debtMax, Math.min(this.#perSecond, account.balance + earned) - 1)
    return account
  }
}

const isLoopback = (address: string): boolean =>
  address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.')

/** /24 of IPv4 and /56 of IPv6: what one site has (BIND's defaults). */
function networkOf(address: string): string {
  const bytes = ipBytes(address.replace(/%.*$/, '').replace(/^::ffff:(?=[0-9.]+$)/, ''))
  if (bytes === undefined) return address
  return Buffer.from(bytes.subarray(0, bytes.length === 4 ? 3 : 7)).toString('latin1')
}
