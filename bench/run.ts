// `npm run bench`: runs the plan, peers in turn and in the opposite order every other time, so that neither the
// machine's mood nor what ran before favours one. Prints the tables and keeps them.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BenchArguments, parseArguments, USAGE } from './arguments.js'
import { machine } from './machine.js'
import { measure } from './measure.js'
import { type Group, plan, type Subject } from './plan.js'
import { charts, tables } from './report.js'
import { Collection, type Results } from './results.js'

const RESULTS = fileURLToPath(new URL('../../bench/results/', import.meta.url))

async function main(): Promise<number> {
  const options = readArguments()
  if (options === undefined) return 2
  const groups = plan(options.only, options.quick)
  const collection = await runAll(groups, options.runs)
  const results: Results = {
    machine: machine(),
    runs: options.runs,
    quick: options.quick,
    groups: collection.groups(groups),
  }
  process.stdout.write(tables(results))
  if (options.out !== undefined) keep(results, options.out)
  return collection.failed ? 1 : 0
}

function readArguments(): BenchArguments | undefined {
  try {
    return parseArguments(process.argv.slice(2), RESULTS)
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`)
    return undefined
  }
}

async function runAll(groups: readonly Group[], runs: number): Promise<Collection> {
  const collection = new Collection()
  for (let run = 1; run <= runs; run++) {
    for (const group of groups) {
      console.error(`run ${run} of ${runs}: ${group.workload}, ${group.title}`)
      const subjects = run % 2 === 1 ? group.subjects : [...group.subjects].reverse()
      for (const subject of subjects) await runOne(collection, group, subject)
    }
  }
  return collection
}

async function runOne(collection: Collection, group: Group, subject: Subject): Promise<void> {
  try {
    collection.add(subject, await measure(subject.job))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    console.error(`failed: ${group.id}, ${subject.label}: ${reason}`)
    collection.fail(subject, reason)
  }
}

function keep(results: Results, directory: string): void {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'latest.json'), `${JSON.stringify(results, undefined, 1)}\n`)
  writeFileSync(join(directory, 'table.md'), tables(results))
  for (const [file, text] of charts(results)) writeFileSync(join(directory, file), text)
  console.error(`results are in ${directory}`)
}

process.exitCode = await main()
