// A peer that does what the addon never does itself: Python, which the addon's own build needs as well.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

/** Send one message of so many bytes with so many copies of a descriptor beside it through the socket `fd`. */
export async function sendFromPython(fd: number, message: { bytes: number; descriptors: number }): Promise<void> {
  const script = `
import array, socket
one = socket.socket(fileno=0)
fds = array.array('i', [1] * ${message.descriptors})
one.sendmsg([b'x' * ${message.bytes}], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
`
  await finished(spawn('python3', ['-c', script], { stdio: [fd, 'ignore', 'pipe'] }))
}

async function finished(child: ReturnType<typeof spawn>): Promise<void> {
  const [errors, [code]] = await Promise.all([text(child.stderr!), once(child, 'close')])
  if (code !== 0) throw new Error(`python3 ended with ${code}: ${errors}`)
}

/** A sealed memory file of 2 MiB, made with these flags of memfd_create; open it by its path. */
export async function pythonMemfd(flags: string): Promise<{ path: string; end(): Promise<void> }> {
  const script = `
import fcntl, os, sys
fd = os.memfd_create('conduit-test', ${flags})
os.ftruncate(fd, 2 << 20)
fcntl.fcntl(fd, 1033, 2 | 4)  # F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW
print(f'/proc/{os.getpid()}/fd/{fd}', flush=True)
sys.stdin.read()
`
  const child = spawn('python3', ['-c', script], { stdio: ['pipe', 'pipe', 'pipe'] })
  const end = async (): Promise<void> => {
    child.stdin.end()
    await finished(child)
  }
  for await (const line of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    return { path: String(line).trim(), end }
  }
  await end()
  throw new Error('python3 made no memory file')
}

/** A TCP client that sends one urgent byte and ends its direction; it resets the connection in the end. */
export async function urgentClient(address: string): Promise<{ end(): Promise<void> }> {
  const script = `
import socket, struct, sys
host, port = sys.argv[1].rsplit(':', 1)
one = socket.create_connection((host, int(port)))
one.send(b'!', socket.MSG_OOB)
one.shutdown(socket.SHUT_WR)
print('sent', flush=True)
sys.stdin.read()
one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
`
  const child = spawn('python3', ['-c', script, address], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return {
    end: async () => {
      child.stdin.end()
      await once(child, 'close')
    },
  }
}
