#!/usr/bin/env node
// The program jitsud: arguments in, exit status out.
import { runJitsudCommandLine } from './jitsud-command-line.js'

process.exit(await runJitsudCommandLine(process.argv.slice(2)))
