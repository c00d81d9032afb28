// The short form of many-connections-suite.ts.
import { manyConnections } from './many-connections-suite.js'

describe('many connections', () => {
  manyConnections({ sequential: 300, open: 200, processes: 30, closes: 250, measureMemory: false })
})
