// The package as its users get it: packed, and installed from the tarball in an empty directory. Nothing is fetched: commander
// is packed from node_modules, and npm is told to stay offline.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { commandLines, until } from './local-world.js'

/** The checkout. */
export const REPOSITORY = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')

export interface Run {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export class InstalledPackage {
  /** What the user works in. */
  readonly directory: string
  /** The package in its node_modules. */
  readonly root: string
  readonly #runtime: string
  readonly #started: ChildProcess[] = []

  private constructor(base: string) {
    this.directory = join(base, 'project')
    this.root = join(this.directory, 'node_modules', 'conduit-vchan')
    this.#runtime = join(base, 'run')
  }

  static async install(): Promise<InstalledPackage> {
    const base = mkdtempSync(join(tmpdir(), 'conduit-package-'))
    const installed = new InstalledPackage(base)
    mkdirSync(installed.directory)
    mkdirSync(installed.#runtime, { mode: 0o700 })
    installed.write('package.json', '{ "private": true }')
    const cache = `--cache=${join(base, 'cache')}`
    const quiet = [cache, '--offline', '--no-audit', '--no-fund', '--no-update-notifier']
    const commander = join(REPOSITORY, 'node_modules', 'commander')
    await installed.#succeed('npm', ['pack', REPOSITORY, commander, `--pack-destination=${base}`, '--json', ...quiet])
    const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string }
    const { version: commanderVersion } = JSON.parse(readFileSync(join(commander, 'package.json'), 'utf8')) as {
      version: string
    }
    const tarballs = [`conduit-vchan-${version}.tgz`, `commander-${commanderVersion}.tgz`].map((name) =>
      join(base, name),
    )
    await installed.#succeed('npm', ['install', '--ignore-scripts', '--omit=optional', ...quiet, ...tarballs])
    return installed
  }

  /** Puts a file into the user's directory. */
  write(name: string, content: string): string {
    const path = join(this.directory, name)
    writeFileSync(path, content)
    return path
  }

  /** A program of the user's, or npx, in the user's directory; the caller reads its output. */
  start(command: string, args: readonly string[]): ChildProcess {
    // What the npm that runs these tests hands down is none of the user's settings.
    const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|CONDUIT_|NODE_OPTIONS$)/.test(name))
    const child = spawn(command, args, {
      cwd: this.directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...Object.fromEntries(inherited), CONDUIT_RUNTIME_DIR: this.#runtime },
    })
    this.#started.push(child)
    return child
  }

  async run(command: string, args: readonly string[]): Promise<Run> {
    const child = this.start(command, args)
    const ended = new Promise<number | null>((settle, fail) => child.once('close', settle).once('error', fail))
    const [stdout, stderr, status] = await Promise.all([text(child.stdout!), text(child.stderr!), ended])
    return { status, stdout, stderr }
  }

  node(file: string): Promise<Run> {
    return this.run(process.execPath, [file])
  }

  npx(...args: string[]): Promise<Run> {
    return this.run('npx', ['--offline', ...args])
  }

  async close(): Promise<void> {
    for (const child of this.#started) {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    }
    await until(() => [...commandLines().values()].every((args) => args.at(-1) !== this.#runtime))
    rmSync(dirname(this.directory), { recursive: true })
  }

  async #succeed(command: string, args: readonly string[]): Promise<void> {
    const { status, stdout, stderr } = await this.run(command, args)
    if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`)
  }
}
