// The memory order of the shared page, for minutes.
import { memoryOrder } from '../native/memory-order-suite.js'

describe('memory order between threads, in full', () => {
  memoryOrder({ bytes: 256 * 2 ** 20, seeds: [1, 2, 3, 4], rounds: 300_000 })
})
