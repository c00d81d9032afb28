// A service manager's socket, which takes datagrams: Python's, since Node has none.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { eventually } from './eventually.js'

/** One datagram, with who sent it as the kernel says. */
export interface Notice {
  readonly text: string
  readonly pid: number
}

const SCRIPT = `
import json, socket, struct, sys
name = sys.argv[1]
one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
one.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
one.bind('\\0' + name[1:] if name[0] == '@' else name)
print('bound', flush=True)
while True:
    data, ancillary, _, _ = one.recvmsg(4096, 256)
    pid = struct.unpack('iii', ancillary[0][2])[0]
    print(json.dumps({'text': data.decode(), 'pid': pid}), flush=True)
`

export class NotifySocket {
  readonly name: string
  readonly notices: Notice[] = []
  readonly #child: ChildProcess

  /** @param name a path, or `@NAME` of the abstract namespace */
  static async bind(name: string): Promise<NotifySocket> {
    const child = spawn('python3', ['-c', SCRIPT, name], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout! })
    await once(lines, 'line')
    const bound = new NotifySocket(name, child)
    lines.on('line', (line) => bound.notices.push(JSON.parse(line) as Notice))
    return bound
  }

  private constructor(name: string, child: ChildProcess) {
    this.name = name
    this.#child = child
  }

  /** Resolves with the first notice that matches. */
  async received(pattern: RegExp): Promise<Notice> {
    return eventually(() => this.notices.find(({ text }) => pattern.test(text)))
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL')
    await once(this.#child, 'close')
  }
}
