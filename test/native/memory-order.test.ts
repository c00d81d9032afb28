// The memory order of the shared page, for some seconds.
import { memoryOrder } from './memory-order-suite.js'

describe('memory order between threads', () => {
  memoryOrder({ bytes: 4 * 2 ** 20, seeds: [1, 2], rounds: 1500 })
})
