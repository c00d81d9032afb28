// One of the two processes of a measurement: does what the bench says over the IPC channel, and ends with it.
import type { Instruction, Link, Metrics, Report, Workload, WorkloadName } from './job.js'
import { bulk } from './workloads/bulk.js'
import { connecting } from './workloads/connect.js'
import { memory } from './workloads/memory.js'
import { messages } from './workloads/messages.js'
import { roundTrip } from './workloads/round-trip.js'

const workloads: Record<WorkloadName, Workload> = {
  bulk,
  'round-trip': roundTrip,
  messages,
  connect: connecting,
  memory,
}

const heard: string[] = []
const waiting: ((text: string) => void)[] = []

const link: Link = {
  tell: (text) => report({ kind: 'tell', text }),
  heard: () => {
    const text = heard.shift()
    return text === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(text)
  },
}

function report(message: Report): void {
  process.send?.(message)
}

function fail(error: unknown): void {
  report({ kind: 'failed', reason: error instanceof Error ? (error.stack ?? error.message) : String(error) })
}

function obey(instruction: Instruction): void {
  if (instruction.kind === 'heard') {
    const next = waiting.shift()
    if (next === undefined) heard.push(instruction.text)
    else next(instruction.text)
    return
  }
  const workload = workloads[instruction.job.workload]
  if (instruction.kind === 'serve') {
    workload.serve(instruction.job, link).then((address: string) => report({ kind: 'serving', address }), fail)
  } else {
    const { job, address } = instruction
    workload.measure(job, address, link).then((metrics: Metrics) => report({ kind: 'measured', metrics }), fail)
  }
}

process.on('uncaughtException', fail)
process.on('message', obey)
process.once('disconnect', () => process.exit())
