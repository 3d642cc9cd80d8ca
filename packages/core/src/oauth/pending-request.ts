/** What is kept of an accepted authorization request while the person is busy, as JSON. */
import { z } from 'zod'
import { err, ok, type Result } from '../result.js'
import type { DeviceCodeId, ResourceIdentifier, Scope } from '../tenant/ids.js'
import { type AuthorizationRequest, type Prompt, type ResponseMode, responseModes } from './authorization-request.js'
import type { KeyThumbprint } from './dpop-proof.js'
import { type IdentityScope, identityScopes } from './scope.js'

/** What is asked of the login and the grant, by whichever way the answer goes. */
type Asked = {
  /** A device proves a key when it polls, and none before. */
  readonly dpopKey: KeyThumbprint | undefined
  readonly resource: ResourceIdentifier
  readonly scopes: readonly Scope[]
  readonly identityScopes: readonly IdentityScope[]
  readonly prompt: readonly Prompt[]
  readonly selectAccount: boolean
  readonly loginHint: string | undefined
  readonly hintedSubject: string | undefined
  readonly acrValues: readonly string[]
  readonly maxAge: number | undefined
  readonly isPushed: boolean
}

type ForRedirect = {
  readonly deviceCodeId?: undefined
  readonly redirectUri: string
  readonly state: string | undefined
  readonly responseMode: ResponseMode
  readonly codeChallenge: string
  readonly nonce: string | undefined
}

/** The answer stays here, and the device fetches what comes of it: there is nowhere to send the browser. */
export type ForDevice = {
  readonly deviceCodeId: DeviceCodeId
  /** The device code is its verifier. */
  readonly codeChallenge: string
}

export type PendingRequest = Asked & (ForRedirect | ForDevice)
export type PendingDeviceRequest = Asked & ForDevice

const asked = {
  dpopKey: z.string().optional(),
  resource: z.string(),
  scopes: z.array(z.string()),
  /** A version that knows none keeps none. */
  identityScopes: z.array(z.enum(identityScopes)).default([]),
  prompt: z.array(z.enum(['none', 'login', 'consent'])),
  selectAccount: z.boolean().default(false),
  loginHint: z.string().optional(),
  hintedSubject: z.string().optional(),
  acrValues: z.array(z.string()).default([]),
  maxAge: z.number().optional(),
  isPushed: z.boolean().default(false),
}
const wire = z.union([
  z.object({
    ...asked,
    redirectUri: z.string(),
    state: z.string().optional(),
    responseMode: z.enum(responseModes).default('query'),
    codeChallenge: z.string(),
    nonce: z.string().optional(),
  }),
  z.object({ ...asked, deviceCodeId: z.string(), codeChallenge: z.string() }),
])

/** Only the proven type is accepted, so nothing unproven can be parked and later be taken for proven. */
export const toPendingRequest = (request: AuthorizationRequest): PendingRequest => ({
  redirectUri: request.redirectUri,
  state: request.state,
  responseMode: request.responseMode,
  codeChallenge: request.codeChallenge,
  nonce: request.nonce,
  dpopKey: request.dpopKey,
  resource: request.resource.identifier,
  scopes: request.scopes,
  identityScopes: request.identityScopes,
  prompt: request.prompt,
  selectAccount: request.selectAccount,
  loginHint: request.loginHint,
  hintedSubject: request.hintedSubject,
  acrValues: request.acrValues,
  maxAge: request.maxAge,
  isPushed: request.isPushed,
})

export function pendingRequestFromJson(json: unknown): Result<PendingRequest, 'pending_request_malformed'> {
  const parsed = wire.safeParse(json)
  return parsed.success ? ok(parsed.data as unknown as PendingRequest) : err('pending_request_malformed')
}
