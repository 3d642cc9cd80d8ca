/** What a PostgreSQL says while it comes up: that it serves, or why it does not. */
import type { ChildProcess } from 'node:child_process'

/** As many of its last bytes are kept. */
const logBytes = 8192
/** How long its words are waited for when it has gone, in milliseconds: a process that it left behind may hold the pipe. */
const lastWordsMs = 2000

/**
 * Answers when it accepts connections, and otherwise when it has gone and its last words are here: they come by a pipe, which may be read only after its end is known.
 * Rejects where it cannot be run at all.
 */
export function untilServingOrGone(child: ChildProcess): Promise<{ readonly serves: boolean; readonly log: string }> {
  let log = ''
  return new Promise((resolve, reject) => {
    const gone = () => resolve({ serves: false, log })
    child.stderr?.on('data', (data: Buffer) => {
      log = (log + data.toString('utf8')).slice(-logBytes)
      if (log.includes('ready to accept connections')) resolve({ serves: true, log })
    })
    child.once('error', reject)
    child.once('exit', () => setTimeout(gone, lastWordsMs).unref())
    child.once('close', gone)
  })
}
