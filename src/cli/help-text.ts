// The parts of `conduit-cat --help` that commander does not know: examples first, exit statuses last.

export const EXAMPLES = `Examples:
  conduit-cat -l hello                    take one connection under the name "hello"
  conduit-cat hello                       talk to it: stdin goes there, what comes goes to stdout
  conduit-cat -l backup > disk.img        receive a file ...
  conduit-cat backup < disk.img           ... and send it (--ring 1M is faster for large ones)
  conduit-cat -kl time -e date            run a command for each connection
  conduit-cat --wait -w 30 time           wait up to 30 s for the name to appear
  conduit-cat -zv time                    only see whether somebody answers, and how fast
  conduit-cat resolve http://www.xen/     where that leads, and how that is found out
  conduit-cat bridge listen:web tcp://127.0.0.1:8080   give a TCP server a name
  conduit-cat ls                          which names and connections there are
  conduit-cat doctor                      what works on this machine, and what to do about the rest
`

export const NOTES = `
Names: NAME, NAME:PORT, vchan://NAME/PORT or vchan://DOMID/PORT; to connect also tcp://HOST:PORT, unix:///PATH, tls://HOST:PORT,
  http://HOST/ and other services, where -w bounds the connecting only. A service that is called like a subcommand is vchan://ls.
Ends: the end of stdin ends our direction only; the program ends when both directions have ended, or the peer has closed.
  Status 0 says that the other side's conduit-cat has written every byte to its stdout or command: bytes that are left
  over because the reader of its stdout, or its command, has gone are an EPIPE or ECONNRESET here.
  With -k and without -e a connection is over when the peer has ended its direction; stdin goes to the one that is open.
-w bounds the connecting, and the time without a byte either way once connected; a listener waits for clients as long as it takes.
-e runs \`sh -c COMMAND\` with CONDUIT_NAME and CONDUIT_PEER_DOMID in its environment. As with inetd, the connection ends when
  the command has let go of both its stdin and its stdout.
SIGUSR1 prints the control pages of the open connections on stderr.

Environment: CONDUIT_BACKEND=local|xen (by itself xen in a Xen domain whose devices this user may open),
  CONDUIT_RUNTIME_DIR=the folder of the local hypervisor's sockets, CONDUIT_DNS=DNS servers to ask, ADDR:PORT with commas between.
Exit status: 0 both directions ended cleanly (with -e and without -k: the command's own), 1 an error of the connection or
  transfer, 2 wrong usage, 128+N ended by signal N.
`

export const BRIDGE_ADDRESSES = `
Addresses: tcp://HOST:PORT, unix:///PATH, NAME, NAME:PORT, vchan://DOMID/PORT, http://HOST/, exec:COMMAND, - (stdin and stdout).
  On the left also listen:tcp://ADDR:PORT, listen:unix:///PATH, listen:NAME[:PORT], listen:vchan://DOMID/PORT.
  With - on the right one client is taken. A client whose other side cannot be reached is reset.

Examples:
  conduit-cat bridge listen:web tcp://127.0.0.1:8080     a TCP server under a conduit name
  conduit-cat bridge listen:tcp://127.0.0.1:8080 web     a conduit for who speaks TCP
`
