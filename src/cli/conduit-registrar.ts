#!/usr/bin/env node
// The program conduit-registrar: arguments in, exit status out.
import { runRegistrarCommandLine } from './registrar-command-line.js'

process.exit(await runRegistrarCommandLine(process.argv.slice(2)))
