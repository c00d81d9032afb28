// Runs in dom0, for `npm run xen`: makes a guest, says so, and runs a command in it if there is one. Its own stdout and stderr
// are the command's, after a first line with the guest's domid; its status is the command's.
// Arguments: TYPE MEMORY [COMMAND in base64]
import { Guest, type GuestType } from './guest.js'
import { FAILED } from './run-status.js'

const [type, memory, encoded] = process.argv.slice(2)

try {
  const guest = await Guest.create({ type: type as GuestType, memory: Number(memory) })
  process.stdout.write(`${guest.domid}\n`)
  if (encoded === undefined) {
    await guest.gone
    throw new Error(`the guest ended; its console: ${guest.console.join('\n')}`)
  }
  const command = Buffer.from(encoded, 'base64').toString()
  const running = guest.spawn(`export GUEST_DOMID=${guest.domid}; ${command}`, { keep: false })
  running.onOutput((bytes, stream) => process[stream].write(bytes))
  // The guest ends with the machine: no time is spent on taking it down.
  process.exit((await running.wait()).status)
} catch (error) {
  console.error(`testbed: ${(error as Error).message}`)
  process.exit(FAILED)
}
