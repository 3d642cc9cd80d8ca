/** What the browser takes to the OpenID provider: the parameters of one authorization request, as a pure rule. */
import { contextsToAsk } from '@drawbridge/core/identity/asked-authentication'
import type { OidcConnection } from '../connection-configuration.js'
import type { StartLogin } from '../connector.js'
import type { Demanded } from './id-token-rules.js'

type Asked = Pick<StartLogin, 'callbackUrl' | 'relayState' | 'loginHint' | 'stepUpAcr' | 'selectAccount' | 'acrValues'> & {
  readonly nonce: string
  readonly codeChallenge: string
  /** A sign-in that began before this request would not count. */
  readonly fresh: boolean
}

/** @spec OIDC Core §3.1.2.1, RFC 7636 §4.3 */
export function authorizationParameters(connection: OidcConnection, asked: Asked): Readonly<Record<string, string>> {
  return {
    // Ours come last: nothing that is configured can replace a parameter of the protocol.
    ...connection.parameters,
    ...hostedDomain(connection),
    ...freshness(connection, asked),
    ...authenticationContext(connection, asked),
    ...(asked.loginHint !== undefined && { login_hint: asked.loginHint }),
    redirect_uri: asked.callbackUrl,
    scope: connection.scopes.join(' '),
    state: asked.relayState,
    nonce: asked.nonce,
    code_challenge: asked.codeChallenge,
    code_challenge_method: 'S256',
  }
}

/** A hint alone: what counts is the `hd` of the ID token. */
function hostedDomain({ hostedDomains, parameters }: OidcConnection): Readonly<Record<string, string>> {
  if (hostedDomains === undefined || parameters.hd !== undefined) return {}
  return { hd: hostedDomains.length === 1 ? String(hostedDomains[0]) : '*' }
}

/** Asks for the same in two ways, and obliges the provider to say when she signed in: OIDC Core §2, auth_time. */
function freshness(connection: OidcConnection, { fresh, selectAccount }: Asked): Readonly<Record<string, string>> {
  const { prompt, promptOnForce, promptOnSelect, maxAgeOnForce } = connection
  // One value, because not every provider takes several: whoever signs in anew may do so as somebody else.
  const usual = selectAccount === true && prompt !== 'login' ? (promptOnSelect ?? prompt) : prompt
  const asks = fresh ? (promptOnForce ?? usual) : usual
  return { ...(asks !== null && { prompt: asks }), ...(fresh && maxAgeOnForce !== null && { max_age: String(maxAgeOnForce) }) }
}

/** @spec OIDC Core §5.5 claims parameter, §5.5.1.1 acr: essential at a step-up of policy, a wish where a client wishes */
function authenticationContext(connection: OidcConnection, asked: Asked): Readonly<Record<string, string>> {
  const { acrValues, stepUpAsk, authTimeClaim } = connection
  const demanded = demandOf(connection, asked.stepUpAcr)
  const wished = wishOf(connection, asked)
  const isStepUp = asked.stepUpAcr !== undefined && connection.stepUpAcr !== null && stepUpAsk === 'acr_values'
  // By `acr_values` only what the provider takes there: what it wants as a claim it gets as one.
  const asWish = isStepUp
    ? [String(connection.stepUpAcr)]
    : [...wished.filter((each) => stepUpAsk === 'acr_values' || acrValues.includes(each))]
  const contexts = isStepUp ? asWish : [...new Set([...asWish, ...acrValues])]
  const asClaim = wished.filter((each) => !contexts.includes(each))
  const claims = {
    ...(asClaim.length > 0 &&
      (stepUpAsk === 'claims_acrs' ? { acrs: { essential: true, value: asClaim[0] } } : { acr: { values: asClaim } })),
    ...(demanded?.claim === 'acrs' && { acrs: { essential: true, value: demanded.values[0] } }),
    ...(demanded?.claim === 'acr' && { acr: { essential: true, values: demanded.values } }),
    ...(asked.fresh && authTimeClaim && { auth_time: { essential: true } }),
  }
  return {
    ...(contexts.length > 0 && { acr_values: contexts.join(' ') }),
    ...(Object.keys(claims).length > 0 && { claims: JSON.stringify({ id_token: claims }) }),
  }
}

/** What of a client's wish this provider is asked for; a step-up of policy asks for its own. */
export const wishOf = ({ acrValues: listed, stepUpAcr }: OidcConnection, asked: Pick<StartLogin, 'acrValues' | 'stepUpAcr'>) =>
  asked.stepUpAcr === undefined ? contextsToAsk(asked.acrValues ?? [], { listed, stepUp: stepUpAcr?.split(' ') ?? [] }) : []

/** What the answer to a step-up must then contain. A wish (`acr_values`) demands nothing here: policy judges what came. */
export function demandOf({ stepUpAsk, stepUpAcr }: OidcConnection, asked: StartLogin['stepUpAcr']): Demanded | undefined {
  if (asked === undefined || stepUpAcr === null || stepUpAsk === 'acr_values') return undefined
  return { claim: stepUpAsk === 'claims_acrs' ? 'acrs' : 'acr', values: stepUpAcr.split(' ') }
}
