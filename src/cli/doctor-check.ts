// One finding of `conduit-cat doctor`.

export interface Check {
  readonly name: string
  /** `fail`: the chosen backend does not work with this. `warn`: it does, with less of something. */
  readonly state: 'ok' | 'warn' | 'fail'
  readonly text: string
  /** What to do about it. */
  readonly fix?: string | undefined
}

/** A check that fails with what `error` says. */
export function failed(name: string, error: unknown): Check {
  const { message, code, hint } = error as { message?: string; code?: string; hint?: string }
  return { name, state: 'fail', text: `${code === undefined ? '' : `${code}: `}${message ?? String(error)}`, fix: hint }
}

/** The check's finding, or what it threw. */
export async function attempt(name: string, check: () => Check | Promise<Check>): Promise<Check> {
  try {
    return await check()
  } catch (error) {
    return failed(name, error)
  }
}
