#!/usr/bin/env node
// Ends with 0 when the process on this port says that it can work: the health check of a container, which has no curl.
// It loads nothing of the product, because it runs every few seconds. Usage: node is-ready.mjs <port>
const [port = '4400'] = process.argv.slice(2)
const patienceMs = 4000

try {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(patienceMs) })
  if (!response.ok) console.error(`${response.status}: ${await response.text()}`)
  process.exitCode = response.ok ? 0 : 1
} catch (error) {
  console.error(`nobody answers on port ${port}: ${error.cause?.code ?? error.message}`)
  process.exitCode = 1
}
