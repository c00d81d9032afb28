#!/usr/bin/env node
// The program conduit-build: where the package ships no addon for a platform, makes one from the sources beside this file, and, where
// the headers of a Xen are installed, the program that builds domains. Never run by an install: whoever wants a compiler to run
// says so.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildAddon } from './build-addon.mjs'
import { buildDomainBuilder } from './build-domain-builder.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const say = (line) => console.error(`conduit-build: ${line}`)

say(`building the addon in ${root}`)
const problem = buildAddon(root, { strict: false, say })
if (problem === undefined) {
  say(`done: ${join(root, 'build', 'Release', 'conduit.node')}`)
} else {
  say(problem)
  say('it takes a C++20 compiler (GCC 10 or newer), make, python3 and the right to write in that folder')
  process.exitCode = 1
}

const trouble = buildDomainBuilder(root, { say })
if (trouble !== undefined) {
  say(trouble)
  process.exitCode = 1
}
