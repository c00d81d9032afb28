#!/usr/bin/env node
// The program conduit-cat: arguments in, exit status out.
import { runCommandLine } from './command-line.js'

// Order matters: everything is written and released by now; an input that nobody will read any more must not hold us.
process.exit(await runCommandLine(process.argv.slice(2)))
