// An optional package that is not installed, as what to type.
import { ConduitError } from '../errors.js'

/** @param what needs it. Undefined for an error that is about something else */
export function missingPackage(error: unknown, what: string): ConduitError | undefined {
  const { code, message } = error as NodeJS.ErrnoException
  const [, name] = code === 'ERR_MODULE_NOT_FOUND' ? (/^Cannot find package '([^']+)'/.exec(message) ?? []) : []
  if (name === undefined) return undefined
  return new ConduitError('SYSTEM', `${what} needs the package ${name}, which is not installed`, {
    hint: `npm install ${name}, beside conduit-vchan`,
    cause: error,
  })
}
