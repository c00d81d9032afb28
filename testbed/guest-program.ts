// A command in a new guest, as seen from this side of the machine: a program in dom0 (guest-session.ts) stands for it.
import type { GuestType } from './guest.js'
import type { Machine } from './machine.js'
import { PROJECT_IN_MACHINE } from './project.js'
import type { OutputListener, RemoteProcess } from './remote-process.js'

export interface GuestProgram {
  readonly domid: number
  /** Prints what the command prints, and ends with its status. */
  readonly process: RemoteProcess
}

/** Resolves when the guest is up; without a command the program ends only with the guest. Rejects when there is no guest. */
export function startInGuest(
  machine: Machine,
  guest: { readonly type: GuestType; readonly memory: number; readonly command?: string },
  onOutput: OutputListener,
): Promise<GuestProgram> {
  const encoded = guest.command === undefined ? '' : Buffer.from(guest.command).toString('base64')
  const session = `${PROJECT_IN_MACHINE}/dist/testbed/guest-session.js`
  const command = `exec node --enable-source-maps ${session} ${guest.type} ${guest.memory} ${encoded}`
  const process = machine.dom0.spawn(command, { keep: false })
  return new Promise((resolve, reject) => {
    let held: Buffer | undefined = Buffer.alloc(0)
    // The first line says that the guest is up; all after it is its command's.
    process.onOutput((bytes, stream) => {
      if (held === undefined || stream === 'stderr') return onOutput(bytes, stream)
      held = Buffer.concat([held, bytes])
      const end = held.indexOf(10)
      if (end < 0) return
      const rest = held.subarray(end + 1)
      resolve({ domid: Number(held.toString('utf8', 0, end)), process })
      held = undefined
      if (rest.length > 0) onOutput(rest, stream)
    })
    process.wait().then(({ status }) => reject(new Error(`no guest (status ${status})`)), reject)
  })
}
