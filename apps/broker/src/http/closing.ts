/** Closes a server so that whoever waits for an answer has it, and nobody else is let in. */
import type { Server, ServerResponse } from 'node:http'

/** How often a closing server looks for connections that nobody needs any more, in milliseconds. */
const lookMs = 50

/**
 * Watches a server from its start, and answers how to close it: the running requests end, and each answer says that its connection does, too. A client that
 * reused its connection for one request after the other would hold the process otherwise for as long as any other request runs. Then every connection is closed:
 * one that a client opened in advance and never used does not count as idle for `node:http` and would hold the process for the rest of its keep-alive.
 */
export function closerOf(server: Server): () => Promise<void> {
  const running = new Set<ServerResponse>()
  let isClosing = false
  // Before the server's own handler, which may answer at once.
  server.prependListener('request', (_request, response) => {
    running.add(response)
    response.once('close', () => running.delete(response))
    if (isClosing) endWithConnection(response)
  })
  return () => {
    isClosing = true
    for (const response of running) endWithConnection(response)
    return new Promise((resolve) => {
      const look = setInterval(() => (running.size === 0 ? server.closeAllConnections() : server.closeIdleConnections()), lookMs)
      server.close(() => {
        clearInterval(look)
        resolve()
      })
      server.closeIdleConnections()
    })
  }
}

function endWithConnection(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close')
}
