// Cuts a stream of bytes into lines, whatever the pieces were.

/** Call it with each piece; it calls `line` with each whole line, without its end. A carriage return before it goes too. */
export function lineSplitter(line: (text: string) => void): (piece: Uint8Array) => void {
  let held: Uint8Array[] = []
  return (piece) => {
    let from = 0
    for (let end = piece.indexOf(10); end >= 0; end = piece.indexOf(10, from)) {
      const bytes = Buffer.concat([...held, piece.subarray(from, end)])
      held = []
      from = end + 1
      line(bytes.toString().replace(/\r$/, ''))
    }
    // A copy: the reader may use its buffer again.
    if (from < piece.length) held.push(Buffer.from(piece.subarray(from)))
  }
}
