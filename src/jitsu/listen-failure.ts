// Why an address cannot be listened on, in the words of the configuration that names it.
import { ConduitError } from '../errors.js'

/** Ports below it are the administrator's (net.ipv4.ip_unprivileged_port_start). */
const UNPRIVILEGED_PORT = 1024

/**
 * The kernel's refusal as what to do about it.
 * @param key the path of the configuration's key, such as `dns.listen`
 * @param address as the configuration has it
 */
export function listenFailure(cause: unknown, key: string, address: string): ConduitError {
  const { code: errno = '', syscall, message } = cause as NodeJS.ErrnoException
  const details = { errno, syscall, endpoint: address, cause }
  switch (errno) {
    case 'EADDRINUSE':
      return new ConduitError('EADDRINUSE', `${key}: ${address} is taken by another program`, {
        ...details,
        hint: `end that program (ss -lntup shows it), or change ${key}`,
      })
    case 'EACCES':
    case 'EPERM':
      return new ConduitError('EACCES', `${key}: this user may not listen on ${address}`, {
        ...details,
        hint: `ports below ${UNPRIVILEGED_PORT} need CAP_NET_BIND_SERVICE: run jitsud as its systemd unit, or change ${key}, such as to port 5353`,
      })
    case 'EADDRNOTAVAIL':
      return new ConduitError('EINVAL', `${key}: this machine has no address ${address}`, {
        ...details,
        hint: `ip address shows those that it has: add it to an interface, or change ${key}`,
      })
    default:
      return new ConduitError('SYSTEM', `${key}: ${address}: ${message}`, details)
  }
}
