// Which channel of this thread has the event loop to itself. Spinning for one channel delays all others, so only a
// channel that was active several times in a row may: two busy flows take turns and neither spins.

/** Turns in a row after which a channel counts as alone. */
const ALONE_AFTER = 3

let last: object | undefined
let turns = 0

/** `channel` did something. */
export function noteActivity(channel: object): void {
  if (last !== channel) {
    last = channel
    turns = 0
  }
  turns++
}

/** Turns in a row that this channel has had, up to the number that counts as alone. */
export const turnsAlone = (channel: object): number => (last === channel ? Math.min(turns, ALONE_AFTER) : 0)

export const isAlone = (channel: object): boolean => turnsAlone(channel) === ALONE_AFTER

/** Forget a closed channel. */
export function forgetActivity(channel: object): void {
  if (last === channel) last = undefined
}
