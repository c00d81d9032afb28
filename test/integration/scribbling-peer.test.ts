// The short form of scribbling-peer-suite.ts.
import { scribblingPeer } from './scribbling-peer-suite.js'

describe('a peer that scribbles on the control page', () => scribblingPeer((round) => round < 60))
