// Which TCP port and what protection a URI's scheme stands for. A small part of IANA's "Service Name and Transport Protocol Port
// Number Registry" (RFC 6335; https://www.iana.org/assignments/service-names-port-numbers), and the URI schemes that run over
// one of its services under another name. What is not here is named with its port: `tcp://HOST:PORT`, `tls://HOST:PORT`.

/** What a scheme says of a connection. */
export interface Service {
  /** IANA's name, which is the port within a conduit name too. */
  readonly name: string
  /** TCP port. */
  readonly port: number
  /** TLS from the first byte. */
  readonly tls: boolean
}

/** In the clear, or with TLS begun later by the protocol itself. */
const PLAIN: Readonly<Record<string, number>> = {
  amqp: 5672,
  dict: 2628,
  domain: 53,
  finger: 79,
  ftp: 21,
  git: 9418,
  gopher: 70,
  http: 80,
  imap: 143,
  ipp: 631,
  kerberos: 88,
  ldap: 389,
  mqtt: 1883,
  msrp: 2855,
  mysql: 3306,
  nfs: 2049,
  nntp: 119,
  pop3: 110,
  postgresql: 5432,
  redis: 6379,
  rfb: 5900,
  rsync: 873,
  rtsp: 554,
  sip: 5060,
  smtp: 25,
  ssh: 22,
  submission: 587,
  svn: 3690,
  telnet: 23,
  uucp: 540,
  whois: 43,
  'xmpp-client': 5222,
  'xmpp-server': 5269,
}

/** TLS from the first byte, as the registry describes them. */
const OVER_TLS: Readonly<Record<string, number>> = {
  amqps: 5671,
  'domain-s': 853,
  ftps: 990,
  https: 443,
  imaps: 993,
  'ircs-u': 6697,
  ldaps: 636,
  nntps: 563,
  pop3s: 995,
  rtsps: 322,
  'secure-mqtt': 8883,
  sips: 5061,
  submissions: 465,
  'syslog-tls': 6514,
  telnets: 992,
}

/** Schemes that are called otherwise than their service. */
const ALIASES: Readonly<Record<string, string>> = {
  /** RFC 4501 */
  dns: 'domain',
  ircs: 'ircs-u',
  mqtts: 'secure-mqtt',
  /** RFC 2384 */
  pop: 'pop3',
  pops: 'pop3s',
  postgres: 'postgresql',
  sftp: 'ssh',
  smtps: 'submissions',
  snews: 'nntps',
  vnc: 'rfb',
  /** RFC 6455 section 3 */
  ws: 'http',
  wss: 'https',
  xmpp: 'xmpp-client',
}

/** The service of a URI scheme, or by IANA's name; undefined where it is not in the table. */
export function serviceNamed(scheme: string): Service | undefined {
  const lower = scheme.toLowerCase()
  const name = Object.hasOwn(ALIASES, lower) ? ALIASES[lower]! : lower
  if (Object.hasOwn(PLAIN, name)) return { name, port: PLAIN[name]!, tls: false }
  return Object.hasOwn(OVER_TLS, name) ? { name, port: OVER_TLS[name]!, tls: true } : undefined
}

const BY_PORT: ReadonlyMap<number, string> = new Map(
  [PLAIN, OVER_TLS].flatMap((table) => Object.entries(table).map(([name, port]) => [port, name] as const)),
)

/** IANA's name of a TCP port, where it is in the table. */
export const servicePortName = (port: number): string | undefined => BY_PORT.get(port)

/** IANA's names, sorted. */
export const SERVICE_NAMES: readonly string[] = [...Object.keys(PLAIN), ...Object.keys(OVER_TLS)].sort()
