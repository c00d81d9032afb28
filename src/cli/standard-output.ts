// What the subcommands print on stdout, waited for: a process that ends with output still queued loses it on a pipe.
import { ConduitError } from '../index.js'
import { OutputClosed } from './exit-status.js'

/** @throws OutputClosed when the reader has gone; ConduitError SYSTEM when it cannot be written for another reason. */
export function printLine(text: string): Promise<void> {
  const { stdout } = process
  return new Promise((resolve, reject) => {
    // Without a listener the error of a closed pipe would end the process.
    const onError = (cause: NodeJS.ErrnoException): void => {
      const { code, syscall, message } = cause
      if (code === 'EPIPE' || code === 'ECONNRESET') reject(new OutputClosed('nobody reads the output any more'))
      else reject(new ConduitError('SYSTEM', `write to standard output: ${message}`, { errno: code, syscall, cause }))
    }
    stdout.once('error', onError)
    stdout.write(`${text}\n`, (error) => {
      if (error) return
      stdout.off('error', onError)
      resolve()
    })
  })
}
