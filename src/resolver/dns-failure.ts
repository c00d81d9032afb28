// What went wrong with a DNS server, in words.
import { ConduitError } from '../errors.js'
import type { DnsServerAddress } from './dns-server-address.js'

export function unreachable(
  server: DnsServerAddress,
  cause: Error & { readonly code?: string; readonly syscall?: string },
): ConduitError {
  return new ConduitError('RESOLVER', `the DNS server ${server.text} cannot be reached: ${cause.message}`, {
    errno: cause.code,
    syscall: cause.syscall,
    endpoint: server.text,
    hint: 'check its address and port, and that it runs',
    cause,
  })
}

export function answersSomethingElse(server: DnsServerAddress): ConduitError {
  return new ConduitError('RESOLVER', `the DNS server ${server.text} answers something else than what was asked`, {
    endpoint: server.text,
    hint: 'what listens there is no DNS server, or somebody forges its answers',
  })
}

export function malformed(server: DnsServerAddress, problem: string): ConduitError {
  return new ConduitError('RESOLVER', `the DNS server ${server.text} sent a malformed answer: ${problem}`, {
    endpoint: server.text,
    hint: 'ask another server',
  })
}

export function refused(server: DnsServerAddress, name: string, rcode: string): ConduitError {
  const hint =
    rcode === 'REFUSED' ? 'it does not serve that name, or not to this client: ask another server' : 'try again later'
  return new ConduitError('RESOLVER', `the DNS server ${server.text} answered ${rcode} for ${name}`, {
    endpoint: server.text,
    hint,
  })
}

export function noAnswer(servers: string, name: string, timeoutMs: number): ConduitError {
  return new ConduitError('ETIMEDOUT', `no answer for ${name} from ${servers} in ${timeoutMs} ms`, {
    endpoint: servers,
    hint: 'check that the DNS server runs and may be reached, or raise timeoutMs',
  })
}
