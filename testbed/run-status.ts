// The status of a run of which the testbed itself failed: none of the command's own, as env(1) and docker have it.

export const FAILED = 125
