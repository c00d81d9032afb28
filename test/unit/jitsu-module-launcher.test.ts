import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import type { ServiceConfig } from '../../protocol/jitsud-config.js'
import { Launchers } from '../../src/jitsu/launchers/launchers.js'
import { servicesOf } from '../support/directory-world.js'
import { expectCode } from '../support/expect-rejection.js'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

describe('a launcher from a module', () => {
  let folder: string
  let files = 0
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'conduit-module-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const load = async (module: string, options?: unknown) => {
    const [config] = servicesOf({ name: 'www', launcher: { kind: 'module', module, options } })
    const launchers = await Launchers.open({
      directory: join(folder, 'files'),
      environment: { ...process.env, A: 'b' },
    })
    return launchers.launcherOf(config as ServiceConfig)
  }
  const loadText = (text: string, options?: unknown) => {
    const file = join(folder, `module-${files++}.mjs`)
    writeFileSync(file, text)
    return load(file, options)
  }

  it('is told its service, its options and its surroundings', async () => {
    const launcher = await loadText(
      `export async function createLauncher(config, { directory, environment, clock }) {
        const kind = [config.name, config.launcher.options.zone, directory, environment.A, typeof clock.nowMs()].join(' ')
        return { kind, stopModes: ['destroy'], launch: async () => {}, adopt: async () => {}, close: async () => {} }
      }`,
      { zone: 'north' },
    )
    expect(launcher.kind).to.equal(`www north ${join(folder, 'files')} b number`)
  })

  it('may be the one of the documentation', async () => {
    const text = readFileSync(join(ROOT, 'docs', 'launchers.md'), 'utf8')
    const launcher = await loadText(/```js\n(.*?)```/s.exec(text)?.[1] ?? '')
    const steps: string[] = []
    const launched = await launcher.launch({
      service: 'www',
      signal: new AbortController().signal,
      created: async ({ pid }) => void steps.push(`created ${pid}`),
      step: (step) => void steps.push(step),
      log: () => undefined,
    })
    expect(steps).to.deep.equal(['built', `created ${launched.pid}`])
    await launched.stop('destroy')
    expect(await launched.ended).to.equal('SIGKILL')
  })

  it('that is none is refused with what is missing', async () => {
    for (const [text, message] of [
      ['export const other = 1', /exports no function createLauncher/],
      ['syntax error', /cannot be loaded/],
      ['export const createLauncher = () => null', /gave no launcher: it is no object/],
      ['export const createLauncher = () => ({ stopModes: ["destroy"] })', /it has no kind/],
      ['export const createLauncher = () => ({ kind: "a", stopModes: ["suspend"] })', /its stopModes lack "destroy"/],
      ['export const createLauncher = () => ({ kind: "a", stopModes: ["destroy"] })', /it has no method launch/],
      [
        `const f = () => {}
        export const createLauncher = () => ({ kind: "a", stopModes: ["destroy"], canKeepWarm: true, launch: f, adopt: f, close: f })`,
        /it has no method prepare/,
      ],
    ] as const) {
      expect((await expectCode(loadText(text), 'CONFIG')).message).to.match(message)
    }
    expect((await expectCode(load('no-such-package-anywhere'), 'CONFIG')).message).to.match(/cannot be loaded/)
    expect((await expectCode(load('/nowhere.mjs'), 'CONFIG')).message).to.match(
      /service www: the launcher module \/nowhere/,
    )
  })

  it('is not needed for xl, which is refused outside Xen', async () => {
    const [config] = servicesOf({ name: 'www', launcher: { kind: 'xl', kernel: '/k' } })
    const launchers = await Launchers.open({ directory: join(folder, 'files') })
    expect((await expectCode(launchers.launcherOf(config as ServiceConfig), 'CONFIG')).message).to.match(/xl needs Xen/)
  })
})
