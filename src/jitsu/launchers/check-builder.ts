// Whether the launcher `xen` could work here, without building anything: for `doctor`.
import { spawn } from 'node:child_process'
import { type BuilderProblem, builderPath, startProblem, unusableProblem } from './builder-program.js'

/** That it can, or why not. */
export type BuilderFinding = { readonly version: string } | BuilderProblem

/** Asks the program itself, which changes nothing. */
export function checkBuilder(
  path = builderPath(),
  environment: NodeJS.ProcessEnv = process.env,
): Promise<BuilderFinding> {
  return new Promise((resolve) => {
    const child = spawn(path, ['--check'], { env: { ...environment, LC_ALL: 'C' }, stdio: ['ignore', 'pipe', 'pipe'] })
    let [answer, said] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => (answer += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    child.once('error', ({ message }) => resolve(startProblem(path, message)))
    child.once('close', () => resolve(finding(path, answer, said)))
  })
}

function finding(path: string, answer: string, said: string): BuilderFinding {
  let event: Partial<Record<string, unknown>>
  try {
    event = JSON.parse(answer) as Partial<Record<string, unknown>>
  } catch {
    return startProblem(path, said || answer)
  }
  if (event.event === 'ready') return { version: String(event.builtFor) }
  return unusableProblem({ code: String(event.code), message: String(event.message) })
}
