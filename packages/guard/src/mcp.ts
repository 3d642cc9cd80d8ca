/** Which scopes an MCP message needs: a `tools/call` needs what its tool needs; everything else needs only a valid token. */
import { type AuthenticationDemand, demandOfTools, type ToolAuthentication } from './authentication.js'
import { err, type GuardRefusal, ok, type Result } from './refusal.js'
import { scopesOfTool, type ToolScopes } from './tool-scopes.js'

/** A batch longer than this is refused whole. */
export const maxMessagesPerBatch = 50

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

function scopesOfMessage(tools: ToolScopes, message: unknown): Result<readonly string[], GuardRefusal> {
  if (!isRecord(message)) return err('request_malformed')
  // Neither request nor answer: a body that no parser has read yet looks like this, and whoever reads it later would find the call.
  const isAnswer = message['method'] === undefined && ('result' in message || 'error' in message)
  if (!isAnswer && typeof message['method'] !== 'string') return err('request_malformed')
  if (message['method'] !== 'tools/call') return ok([])
  const params = message['params']
  const name = isRecord(params) ? params['name'] : undefined
  if (typeof name !== 'string') return err('request_malformed')
  const needed = scopesOfTool(tools, name)
  return needed === undefined ? err('tool_without_scope') : ok(needed)
}

/**
 * All scopes of this request body, at once, so that a client steps up once and not tool by tool.
 *
 * A tool that the table does not name is refused rather than let through: forgetting a line must not open a tool.
 *
 * @spec MCP authorization 2026-07-28, scope challenge handling
 */
export function scopesOfRequest(tools: ToolScopes, body: unknown): Result<readonly string[], GuardRefusal> {
  const messages: readonly unknown[] = Array.isArray(body) ? body : [body]
  if (messages.length === 0 || messages.length > maxMessagesPerBatch) return err('request_malformed')
  const needed = new Set<string>()
  for (const message of messages) {
    const scopes = scopesOfMessage(tools, message)
    if (!scopes.ok) return scopes
    for (const name of scopes.value) needed.add(name)
  }
  return ok([...needed])
}

/** How those who call the tools of this body must have signed in. A body that is none calls nothing: `scopesOfRequest` refuses it. */
export function demandOfRequest(table: ToolAuthentication, body: unknown): AuthenticationDemand {
  const messages: readonly unknown[] = Array.isArray(body) ? body.slice(0, maxMessagesPerBatch) : [body]
  return demandOfTools(table, messages.flatMap(toolOf))
}

function toolOf(message: unknown): readonly string[] {
  if (!isRecord(message) || message['method'] !== 'tools/call') return []
  const params = message['params']
  const name = isRecord(params) ? params['name'] : undefined
  return typeof name === 'string' ? [name] : []
}
