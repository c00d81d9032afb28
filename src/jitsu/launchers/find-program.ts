// Which file a command means, as execvp(3) looks for it. Asked before anything is started: what is not there has a better name
// then than an exit status.
import { access, constants, stat } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import { ConduitError } from '../../errors.js'

/**
 * The path of the program.
 * @throws ConduitError LAUNCHER when there is none that can be run
 */
export async function findProgram(
  command: string,
  { cwd, searchPath }: { readonly cwd: string; readonly searchPath: string },
): Promise<string> {
  const candidates = command.includes('/')
    ? [resolve(cwd, command)]
    : searchPath.split(':').map((folder) => join(isAbsolute(folder) ? folder : resolve(cwd, folder), command))
  let found: string | undefined
  for (const candidate of candidates) {
    const status = await stat(candidate).catch(() => undefined)
    if (status?.isFile() !== true) continue
    found = candidate
    const allowed = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (allowed) return candidate
  }
  const where = command.includes('/') ? '' : ` in ${searchPath}`
  const why = found === undefined ? `there is no such program${where}` : `${found} is not executable`
  throw new ConduitError('LAUNCHER', `${command} cannot be started: ${why}`, {
    endpoint: command,
    errno: found === undefined ? 'ENOENT' : 'EACCES',
    hint: found === undefined ? 'give its whole path in launcher.command' : `chmod +x ${found}`,
  })
}
