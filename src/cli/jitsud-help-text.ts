// The parts of `jitsud --help` that commander does not know.

export const JITSUD_EXAMPLES = `Examples:
  jitsud --config jitsud.json             boot its services when somebody asks for their names
  jitsud check --config jitsud.json       only say what is wrong with it
  jitsud status                           services and their states
  jitsud timeline www                     what happened when, in the last summons of www
  jitsud timeline --svg summons.svg       the last summon of each service, as a picture
  jitsud -b 127.0.0.1 -l 5353 dns=www.example.org,ip=10.0.0.2,name=www,kernel=/root/www.xen,memory=64000
                                          as Jitsu's own command line, without a configuration
`

export const JITSUD_NOTES = `
SIGHUP reads the configuration again: what it does not change goes on untouched, and a wrong one is refused as a whole.
SIGTERM and SIGINT end it. By itself it stops the programs that it launched and leaves guests running, for the next jitsud to
find; --on-exit stop and --on-exit leave treat both alike. What runs is also found again after a crash of jitsud.

Environment: CONDUIT_BACKEND=local|xen, CONDUIT_RUNTIME_DIR=the folder of the local hypervisor's sockets,
  STATE_DIRECTORY=where it writes down what runs, unless the configuration has a stateFile,
  NOTIFY_SOCKET and WATCHDOG_USEC: systemd is told of readiness, reloads and the end, and that jitsud is alive.
  JITSUD_ADMIN=ADDRESS:PORT, where status and timeline ask.
Exit status: 0 ended by SIGTERM or SIGINT, 1 an address is taken, a right is missing or a part failed, 2 wrong usage or a wrong
  configuration.
`
