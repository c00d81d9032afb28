// What jitsud's logger writes, and what becomes of it without pino.
import { expect } from 'chai'
import { ConduitError } from '../../src/errors.js'
import { errorFields, type LogLevel, silentLogger } from '../../src/jitsu/logger.js'
import { openLogger } from '../../src/jitsu/pino-logger.js'
import { rejectionOf } from '../support/expect-rejection.js'

const open = async (options: { level?: LogLevel; pretty?: boolean; colour?: boolean } = {}) => {
  const lines: string[] = []
  const { level = 'debug', pretty = false, colour = false } = options
  const logger = await openLogger({ level, pretty, colour, output: { write: (line) => lines.push(line) } })
  return { logger, lines }
}
const HOSTILE = 'a\nlevel=error \u001b[2J\u2028\u009b1m'
// biome-ignore lint/suspicious/noControlCharactersInRegex: those must not be there
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028]/

describe('the log of jitsud', () => {
  it('is one JSON object a line, with level, time and message by name', async () => {
    const { logger, lines } = await open()
    logger.info('www is ready', { service: 'www', tookMs: 43.5 })
    const { time, ...rest } = JSON.parse(lines[0]!) as { time: string }
    expect(rest).to.deep.equal({ level: 'info', msg: 'www is ready', service: 'www', tookMs: 43.5 })
    expect(new Date(time).toISOString()).to.equal(time)
  })

  it('keeps what others put into it on its line', async () => {
    const { logger, lines } = await open()
    logger.warn(HOSTILE, { line: HOSTILE })
    expect(lines.map((line) => line.trimEnd().split('\n').length)).to.deep.equal([1])
    expect(JSON.parse(lines[0]!)).to.include({ msg: HOSTILE, line: HOSTILE })
  })

  for (const [level, said] of [
    ['silent', ''],
    ['error', 'error'],
    ['warn', 'error warn'],
    ['info', 'error warn info'],
    ['debug', 'error warn info debug'],
  ] as const) {
    it(`says "${said}" at level ${level}`, async () => {
      const { logger, lines } = await open({ level })
      for (const method of ['error', 'warn', 'info', 'debug'] as const) logger[method](method)
      expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg).join(' ')).to.equal(said)
    })
  }

  it('is text on a terminal, with fields as words where they are', async () => {
    const { logger, lines } = await open({ pretty: true })
    logger.info('www is ready', { service: 'www', tookMs: 43.5, why: 'two words', list: [1] })
    expect(lines).to.have.length(1)
    expect(lines[0]).to.match(
      /^\d\d:\d\d:\d\d\.\d{3} info {2}www is ready service=www tookMs=43\.5 why="two words" list=\[1\]\n$/,
    )
  })

  it('colours the level alone', async () => {
    const { logger, lines } = await open({ pretty: true, colour: true })
    logger.error('no')
    expect(lines[0]!.slice(13)).to.equal('\u001b[31merror\u001b[0m no\n')
  })

  it('moves no cursor and forges no line on a terminal', async () => {
    const { logger, lines } = await open({ pretty: true })
    logger.warn(HOSTILE, { line: HOSTILE, [HOSTILE]: 1 })
    expect(lines).to.have.length(1)
    expect(lines[0]!.slice(0, -1)).to.not.match(/\n/)
    expect(lines[0]).to.not.match(CONTROL)
  })

  it('has an error’s code and hint as fields, and no stack', () => {
    const error = new ConduitError('BOOT_FAILED', 'www ended: status 1', { hint: 'look at its log' })
    expect(errorFields(error)).to.deep.equal({
      code: 'BOOT_FAILED',
      error: 'www ended: status 1',
      hint: 'look at its log',
    })
    expect(errorFields(new ConduitError('LAUNCHER', 'no'))).to.deep.equal({ code: 'LAUNCHER', error: 'no' })
    expect(errorFields(new TypeError('a mistake')).error)
      .to.contain('a mistake')
      .and.contain('jitsu-logger.test')
    expect(errorFields('thrown')).to.deep.equal({ error: 'thrown' })
  })

  it('says what to install where pino is missing', async () => {
    const load = () => Promise.reject(new Error("Cannot find package 'pino'"))
    const error = await rejectionOf(openLogger({ level: 'info', pretty: false, load }))
    expect(error).to.be.instanceOf(ConduitError).and.include({ code: 'SYSTEM' })
    expect(error).to.have.property('hint').that.contains('npm install pino')
  })

  it('can be silent without pino', () => {
    expect(silentLogger.error('nobody hears')).to.equal(undefined)
  })
})
