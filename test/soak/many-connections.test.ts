// many-connections-suite.ts in full.
import { manyConnections } from '../integration/many-connections-suite.js'

describe('many connections, in full', () => {
  manyConnections({ sequential: 10_000, open: 1000, processes: 200, closes: 50_000, measureMemory: true })
})
