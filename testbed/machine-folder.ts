// A folder for one machine's files until QEMU has read them: the file system of a run has a hundred megabytes.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PREFIX = 'conduit-xen-'

export class MachineFolder {
  readonly path: string

  /** Named after this process; those of processes that were killed go. */
  constructor(parent = tmpdir()) {
    for (const name of readdirSync(parent)) {
      const [, pid] = /^conduit-xen-(\d+)-/.exec(name) ?? []
      if (pid !== undefined && !isRunning(Number(pid))) removeOwn(join(parent, name))
    }
    this.path = mkdtempSync(join(parent, `${PREFIX}${process.pid}-`))
  }

  file(name: string): string {
    return join(this.path, name)
  }

  /** Idempotent. */
  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** Another user's stays, and so does one that somebody else is removing. */
function removeOwn(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch {}
}
