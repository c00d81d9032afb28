// Waits for a promise to reject and gives back with what.
import { AssertionError, expect } from 'chai'
import { ConduitError, type ConduitErrorCode } from '../../src/errors.js'

export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    return error
  }
  throw new AssertionError(`expected a rejection, got ${JSON.stringify(value)}`)
}

/** The ConduitError of that code. */
export async function expectCode(promise: Promise<unknown>, code: ConduitErrorCode): Promise<ConduitError> {
  const error = await rejectionOf(promise)
  expect(error).to.be.instanceOf(ConduitError)
  expect(error).to.have.property('code', code)
  return error as ConduitError
}
