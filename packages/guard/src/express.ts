/** The guard as Express middleware. Express is the caller's: nothing of it is loaded here. */
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import { type AuthenticationDemand, checkDemand, strictest } from './authentication.js'
import type { Challenge } from './challenge.js'
import type { Guard, PresentedRequest } from './create-guard.js'
import { demandOfRequest, scopesOfRequest } from './mcp.js'
import { type GuardRefusal, ok, type Result } from './refusal.js'
import type { VerifiedToken } from './verify-access-token.js'

const verifiedTokens = new WeakMap<Request, VerifiedToken>()

/** The token that the guard let through for this request. */
export const verifiedTokenOf = (request: Request): VerifiedToken | undefined => verifiedTokens.get(request)

function send(response: Response, challenge: Challenge): void {
  response.status(challenge.status).set(challenge.headers).end(challenge.body)
}

type Needed = Result<readonly string[], GuardRefusal>

/** `originalUrl` is what stood in the request line, wherever this middleware is mounted. */
const presentedBy = ({ headers, method, originalUrl }: Request): PresentedRequest => ({
  authorization: headers.authorization,
  dpop: headers['dpop'] === undefined ? undefined : [headers['dpop']].flat().join(', '),
  method,
  path: originalUrl,
})

/** The token is judged before the body's faults are told: a stranger learns nothing about tools. */
const guarded =
  (
    guard: Guard,
    neededBy: (request: Request) => Needed,
    demandBy: (request: Request) => AuthenticationDemand = () => ({}),
  ): RequestHandler =>
  (request: Request, response: Response, next: NextFunction): void => {
    const needed = neededBy(request)
    guard.check(presentedBy(request), needed.ok ? needed.value : [], demandBy(request)).then((verdict) => {
      if (!verdict.ok) return send(response, verdict.error)
      if (!needed.ok) return send(response, guard.refuse(needed.error))
      verifiedTokens.set(request, verdict.value)
      next()
    }, next)
  }

/** Lets a request pass that holds all of these scopes. */
export const requireScopes = (guard: Guard, scopes: readonly string[]): RequestHandler => guarded(guard, () => ok(scopes))

/** Lets a request pass whose person signed in like this. @spec RFC 9470 */
export const requireAuthentication = (guard: Guard, demand: AuthenticationDemand, scopes: readonly string[] = []): RequestHandler => {
  checkDemand(demand, 'requireAuthentication')
  checkDemand(strictest([guard.authentication, demand]), 'requireAuthentication together with the resource')
  return guarded(
    guard,
    () => ok(scopes),
    () => demand,
  )
}

/** Lets an MCP request pass whose token holds what the called tools need, of somebody who signed in as they demand. Put a JSON body parser before it. */
export const guardMcp = (guard: Guard): RequestHandler =>
  guarded(
    guard,
    (request) => (request.method === 'POST' ? scopesOfRequest(guard.toolScopes, request.body) : ok([])),
    (request) => (request.method === 'POST' ? demandOfRequest(guard.toolAuthentication, request.body) : {}),
  )

/**
 * Put behind the guard, on what streams: closes the connection when the access that let the request through has ended. Its client comes again with another token,
 * or finds that it has none.
 */
export const closeWhenEnded =
  (guard: Guard): RequestHandler =>
  (request: Request, response: Response, next: NextFunction): void => {
    const checked = verifiedTokens.get(request)
    if (checked === undefined) throw new Error('closeWhenEnded: put it behind guardMcp, requireScopes or requireAuthentication')
    response.once(
      'close',
      guard.onEnded(checked, () => response.destroy()),
    )
    next()
  }

/** Serves the protected resource metadata at the inserted well-known path and at the root one. @spec RFC 9728 §3 */
export const serveResourceMetadata =
  (guard: Guard): RequestHandler =>
  (request: Request, response: Response, next: NextFunction): void => {
    const isAsked = request.method === 'GET' && guard.metadataPaths.includes(request.path)
    if (!isAsked) return next()
    response.set({ 'Access-Control-Allow-Origin': '*', 'Cache-Control': 'max-age=300' }).json(guard.metadata)
  }
