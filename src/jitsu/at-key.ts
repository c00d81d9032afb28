// Failures in the words of the configuration: which of its keys asked for what could not be had.
import { ConduitError, isConduitError } from '../errors.js'

/**
 * What `open` resolves with.
 * @throws what it throws, with the key's path in front of a ConduitError's message
 */
export async function atKey<T>(key: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (error) {
    if (!isConduitError(error)) throw error
    const { code, message, errno, syscall, hint, endpoint } = error
    throw new ConduitError(code, `${key}: ${message}`, { errno, syscall, hint, endpoint, cause: error })
  }
}
