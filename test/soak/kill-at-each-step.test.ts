// kill-at-each-step-suite.ts in full.
import { killAtEachStep } from '../integration/kill-at-each-step-suite.js'

describe('kill -9 at each step', () => killAtEachStep(1))
