/**
 * A login that the company's side begins: a tile of its portal. docs/adr/0026
 *
 * Whatever arrives with the tile is not believed. It chooses, by exact comparison, one of the places that the connection lists; the browser
 * is sent there, and the application begins a login of its own. So a tile leads where an ordinary link leads, and nowhere else.
 */
import { z } from 'zod'
import { isAcceptableRedirectUri, isLoopbackRedirect, withParameters } from '../oauth/redirect-uri.js'

export const initiatedLoginLimits = { targets: 50, stateLength: 1024, hintLength: 320 } as const

export const initiatedLoginShape = z.strictObject({
  targets: z
    .array(
      z.strictObject({
        name: z.string().trim().min(1).max(100),
        relayState: z.string().min(1).max(initiatedLoginLimits.stateLength).optional(),
        initiateLoginUri: z.string(),
        targetLinkUri: z.string().optional(),
      }),
    )
    .min(1)
    .max(initiatedLoginLimits.targets),
})
export type InitiatedLogin = z.output<typeof initiatedLoginShape>
export type InitiatedTarget = InitiatedLogin['targets'][number]

/** The parameters that we add; the address of an application may not already say them. @spec OIDC Core §4 */
const ours: readonly string[] = ['iss', 'login_hint', 'target_link_uri', 'connection']
/** A login of ours names itself so. */
const loginRequestShape = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export type InitiatedLoginMistake = { readonly member: string; readonly message: string }

/** What no single member can tell. Addresses are judged as raw text, as redirect URIs are, before any parser has mended them. */
export function findInitiatedLoginMistake({ targets }: InitiatedLogin): InitiatedLoginMistake | undefined {
  const mistakes = targets.map((target, index) => {
    const at = (member: string, message: string) => ({ member: `idpInitiated.targets[${index}].${member}`, message })
    if (!isWebAddress(target.initiateLoginUri)) return at('initiateLoginUri', 'https, without fragment or user name')
    if (ours.some((name) => new URL(target.initiateLoginUri).searchParams.has(name)))
      return at('initiateLoginUri', `its query may not hold ${ours.join(', ')}: these are added`)
    if (target.targetLinkUri !== undefined && !isWebAddress(target.targetLinkUri))
      return at('targetLinkUri', 'https, without fragment or user name')
    if (target.relayState !== undefined && loginRequestShape.test(target.relayState))
      return at('relayState', 'this is the shape by which we know our own logins')
    if (targets.findIndex(({ relayState }) => relayState === target.relayState) !== index)
      return at('relayState', target.relayState === undefined ? 'one target at most is without' : 'taken by an earlier target')
    return undefined
  })
  return mistakes.find((mistake) => mistake !== undefined)
}

const isWebAddress = (uri: string): boolean => isAcceptableRedirectUri(uri) && (uri.startsWith('https://') || isLoopbackRedirect(uri))

/** The target that lists exactly this; else the one that lists nothing, where there is one. */
export const targetOf = ({ targets }: InitiatedLogin, relayState: string | undefined): InitiatedTarget | undefined =>
  targets.find((target) => target.relayState !== undefined && target.relayState === relayState) ??
  targets.find((target) => target.relayState === undefined)

export type Initiation = {
  readonly issuer: string
  readonly connectionId: string
  readonly loginHint?: string | undefined
}

/** @spec OIDC Core §4 initiating login from a third party: iss, login_hint, target_link_uri */
export const initiationUrlOf = (target: InitiatedTarget, { issuer, connectionId, loginHint }: Initiation): string =>
  withParameters(target.initiateLoginUri, {
    iss: issuer,
    login_hint: loginHint,
    target_link_uri: target.targetLinkUri,
    connection: connectionId,
  })

/** A hint is passed on or dropped, never a reason to refuse: it chooses nothing here, and whoever wrote it is not known. */
export const passableHint = (hint: string | undefined): string | undefined =>
  hint !== undefined && hint.length <= initiatedLoginLimits.hintLength && /^[^\p{Cc}]+$/u.test(hint) ? hint : undefined
