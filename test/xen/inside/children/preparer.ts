// Stands for a jitsud that is killed: prepares a domain, lets another one run, and says their tokens. Arguments: kernel's file
import { mkdtempSync } from 'node:fs'
import { Launchers } from '../../../../src/jitsu/launchers/launchers.js'
import { servicesOf } from '../../../support/directory-world.js'
import { openStore } from '../../../support/xen-machine.js'

const [kernel] = process.argv.slice(2)
const store = await openStore()
const launchers = await Launchers.open({ directory: mkdtempSync('/tmp/preparer-'), xenStore: store })
const [service] = servicesOf({ name: 'orphan', launcher: { kind: 'xen', kernel, memory: '4MiB' } })
const launcher = await launchers.launcherOf(service!)
const context = { service: 'orphan', signal: new AbortController().signal, log: () => undefined }
await launcher.prepare!(context)
const { token } = await launcher.launch({ ...context, created: async () => undefined, step: () => undefined })
console.log(`launched ${JSON.stringify(token)}`)
setInterval(() => undefined, 1000)
