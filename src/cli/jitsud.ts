#!/usr/bin/env node
// The program jitsud: arguments in, exit status out. The packages that jitsud alone needs are optional, and loaded here, so
// that one which is missing can be named.
import { EXIT, failureLine } from './exit-status.js'
import { missingPackage } from './missing-package.js'

const run = await import('./jitsud-command-line.js').catch((error: unknown) => {
  const missing = missingPackage(error, 'jitsud')
  if (missing === undefined) throw error
  process.stderr.write(`jitsud: ${failureLine(missing)}\n`)
  process.exit(EXIT.FAILED)
})

process.exit(await run.runJitsudCommandLine(process.argv.slice(2)))
