// The short form of kill-at-each-step-suite.ts.
import { killAtEachStep } from './kill-at-each-step-suite.js'

describe('kill -9 at some steps', () => killAtEachStep(9))
