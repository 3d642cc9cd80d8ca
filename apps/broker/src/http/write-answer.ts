/** The only writer of HTTP answers, for both lanes: status, headers every answer carries, body. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from './answer.js'
import { contentSecurityPolicy, renderPage } from './page.js'
import { announcesBody } from './read-body.js'
import { barePolicy, framedPolicy, sandboxPolicy, securityHeaders, transportSecurity } from './security-headers.js'

export type AnswerContext = { readonly requestId: string; readonly cors: boolean }

export function writeAnswer(
  deps: BrokerDeps,
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  context: AnswerContext,
): void {
  if (response.headersSent || response.destroyed) return
  const { contentType, body, policy } = render(deps, answer, context.requestId)
  const headers: Record<string, string | string[]> = {
    ...securityHeaders,
    ...transportSecurity(deps.settings.publicUrl),
    'content-security-policy': answer.framedBy === undefined ? policy : framedPolicy(answer.framedBy),
    'x-request-id': context.requestId,
    // Whatever has no other word on caching is not cached: most of what we say is about one person.
    'cache-control': 'no-store',
    ...(context.cors
      ? { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'www-authenticate, dpop-nonce, retry-after, x-request-id' }
      : {}),
    ...answer.headers,
  }
  if (answer.framedBy !== undefined) delete headers['x-frame-options'] // it can name no other origin; the policy does
  if (answer.kind === 'redirect') headers['location'] = answer.location
  if (answer.setCookies && answer.setCookies.length > 0) headers['set-cookie'] = [...answer.setCookies]
  if (contentType !== undefined) headers['content-type'] = contentType
  if (answer.status !== 204 && answer.status !== 304) headers['content-length'] = String(lengthOf(body))
  // A body that was refused is still on its way: close instead of reading it.
  if (!request.complete && announcesBody(request)) headers['connection'] = 'close'
  response.writeHead(answer.status, headers)
  if (request.method === 'HEAD' || answer.status === 204 || answer.status === 304) response.end()
  else writeBody(response, body)
}

type Body = string | Buffer | readonly Buffer[]
type Rendered = { readonly contentType: string | undefined; readonly body: Body; readonly policy: string }

const isOnePiece = (body: Body): body is string | Buffer => typeof body === 'string' || Buffer.isBuffer(body)

const lengthOf = (body: Body): number =>
  isOnePiece(body) ? Buffer.byteLength(body) : body.reduce((total, part) => total + part.byteLength, 0)

function writeBody(response: ServerResponse, body: Body): void {
  if (isOnePiece(body)) return void response.end(body)
  for (const part of body) response.write(part)
  response.end()
}

/** Bodies stay text where they are: `node:http` joins text with the headers, and sends both as one piece. */
function render(deps: BrokerDeps, answer: Answer, requestId: string): Rendered {
  switch (answer.kind) {
    case 'json':
      return {
        contentType: answer.contentType ?? 'application/json',
        body: JSON.stringify(answer.body),
        policy: barePolicy,
      }
    case 'json_parts':
      return { contentType: 'application/json', body: answer.parts, policy: barePolicy }
    case 'problem':
      return {
        contentType: 'application/problem+json',
        body: JSON.stringify({ ...answer.problem, status: answer.status, instance: requestId }),
        policy: barePolicy,
      }
    case 'page': {
      const frame = { title: answer.title, body: answer.body, requestId, script: answer.script, notice: installationNotice(deps) }
      return {
        contentType: 'text/html; charset=utf-8',
        body: renderPage(frame),
        policy: contentSecurityPolicy(answer.formTargets ?? [], {
          script: answer.script,
          self: answer.leavesUs ? [] : ["'self'"],
          hasPictures: answer.hasPictures,
        }),
      }
    }
    case 'text':
      return { contentType: answer.contentType, body: answer.text, policy: barePolicy }
    case 'picture':
      return { contentType: answer.contentType, body: answer.octets, policy: sandboxPolicy }
    default:
      return { contentType: undefined, body: '', policy: barePolicy }
  }
}

const notices = {
  lab: 'Laboratory: its clock can be moved. Nothing here is real.',
  demo: 'Demonstration: the company and its people are simulated.',
  production: undefined,
} as const
const installationNotice = (deps: BrokerDeps): string | undefined => notices[deps.installation.kind]
