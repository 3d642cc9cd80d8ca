/** What an MCP request body asks for. */
import { expect, test } from 'vitest'
import { maxMessagesPerBatch, scopesOfRequest } from './mcp.js'

const tools = { search: ['documents:read'], publish: ['documents:write', 'documents:read'], open: [] }
const call = (name: unknown) => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } })

test.each([
  { when: 'it is no tool call', body: { jsonrpc: '2.0', id: 1, method: 'tools/list' }, scopes: [] },
  { when: 'it answers a question of the server', body: { jsonrpc: '2.0', id: 1, result: {} }, scopes: [] },
  { when: 'a tool is called', body: call('search'), scopes: ['documents:read'] },
  { when: 'a tool needs nothing', body: call('open'), scopes: [] },
  { when: 'a batch calls two tools', body: [call('search'), call('publish')], scopes: ['documents:read', 'documents:write'] },
])('when $when the scopes are $scopes', ({ body, scopes }) => {
  expect(scopesOfRequest(tools, body)).toEqual({ ok: true, value: scopes })
})

test.each([
  { when: 'the tool is unknown', body: call('drop'), error: 'tool_without_scope' },
  { when: 'the tool is a name of Object', body: call('constructor'), error: 'tool_without_scope' },
  { when: 'the tool is __proto__', body: call('__proto__'), error: 'tool_without_scope' },
  { when: 'the name is no text', body: call(7), error: 'request_malformed' },
  { when: 'the body is no message', body: 'x', error: 'request_malformed' },
  { when: 'the body is an object that no parser read', body: {}, error: 'request_malformed' },
  {
    when: 'the method is no text',
    body: { jsonrpc: '2.0', id: 1, method: ['tools/call'], params: { name: 'search' } },
    error: 'request_malformed',
  },
  { when: 'the body is missing', body: undefined, error: 'request_malformed' },
  { when: 'the batch is empty', body: [], error: 'request_malformed' },
  { when: 'the batch is too long', body: Array(maxMessagesPerBatch + 1).fill(call('search')), error: 'request_malformed' },
])('it is refused when $when', ({ body, error }) => {
  expect(scopesOfRequest(tools, body)).toEqual({ ok: false, error })
})
