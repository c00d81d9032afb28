// The parts of `conduit-registrar --help` that commander does not know.

export const REGISTRAR_EXAMPLES = `Examples:
  conduit-registrar                       serve every domain of this machine, until told to end
  conduit-registrar --reserve jitsud=0    the same; only domain 0 may have the name "jitsud"
`

export const REGISTRAR_NOTES = `
Runs in dom0, once, beside xenstored. Names belong to whoever asks first, unless they are reserved; the name jitsud is given out
only where it is reserved. What was given out stays in the store when the program ends, and the next one goes on with it: open
connections need no registrar, new names and first connections between two domains wait for it.
When xenstored is started again it waits, and makes everything anew.

Environment: XENSTORED_PATH=the store's socket, XENSTORED_RUNDIR=the folder it is in (/var/run/xenstored).
  NOTIFY_SOCKET: systemd is told when names are served (with the program systemd-notify).
Exit status: 0 ended by SIGTERM, SIGINT or SIGHUP, 1 no store, no right to it, or another registrar serves it, 2 wrong usage.
`
