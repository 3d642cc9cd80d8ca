/** The fault cards: what a company's IdP can get wrong at its next login, and what each means in SAML and in OpenID Connect. */
import type { Company } from './companies.js'

export const faultIds = [
  'expired-certificate',
  'wrong-audience',
  'unsigned',
  'signature-wrapping',
  'replay',
  'clock-skew',
  'missing-groups',
  'no-mfa',
  'groups-overage',
  'short-session',
  'old-session',
  'ignores-force',
  'expired-metadata',
] as const
export type FaultId = (typeof faultIds)[number]

export type FaultCard = {
  readonly title: string
  /** What the next login does, by protocol; absent where the protocol has no such fault. */
  readonly saml?: string
  readonly oidc?: string
  /** Stays until taken back: it is about more than one login. */
  readonly stays?: true
}

export const faultCards: Readonly<Record<FaultId, FaultCard>> = {
  'expired-certificate': {
    title: 'Expired certificate',
    saml: 'Signs with last year’s key; its certificate has expired and left the metadata.',
    oidc: 'Signs the ID token with last year’s key, which has left the JWKS.',
  },
  'wrong-audience': {
    title: 'Wrong audience',
    saml: 'The assertion is for another service provider.',
    oidc: 'The ID token is for another client.',
  },
  unsigned: { title: 'Unsigned', saml: 'Sends the response without any signature.', oidc: 'Sends the ID token with “alg: none”.' },
  'signature-wrapping': {
    title: 'Signature wrapping',
    saml: 'Puts a forged assertion in front of the signed one.',
    oidc: 'Changes the subject of the ID token after it was signed.',
  },
  replay: {
    title: 'Replay',
    saml: 'Sends the response of the previous login once more.',
    oidc: 'Sends the ID token of the previous login once more.',
  },
  'clock-skew': {
    title: 'Clock skew',
    saml: 'The IdP’s clock is ten minutes fast: NotBefore lies in the future.',
    oidc: 'The OP’s clock is an hour and ten minutes slow: the ID token has already expired.',
  },
  'missing-groups': { title: 'Missing groups', saml: 'Leaves the groups attribute out.', oidc: 'Leaves the groups claim out.' },
  'no-mfa': {
    title: 'No MFA',
    saml: 'Says “password” whatever the person did and whatever was asked for.',
    oidc: 'Says “pwd” whatever the person did and whatever was asked for.',
  },
  'groups-overage': {
    title: 'Groups overage',
    saml: 'Sends a link in place of the groups, as Entra ID does above 150.',
    oidc: 'Sends _claim_names in place of the groups, as Entra ID does above 200.',
  },
  'short-session': {
    title: 'Short session',
    saml: 'Says that its own session with the person ends in ten minutes (SessionNotOnOrAfter).',
    oidc: 'Says that its own session with the person ends in ten minutes (session_expiry).',
  },
  'old-session': {
    title: 'Old session',
    saml: 'Answers from a session that began an hour ago, unless it is told to ask again (ForceAuthn); until taken back.',
    oidc: 'Answers from a session that began an hour ago, unless it is told to ask again (prompt=login); until taken back.',
    stays: true,
  },
  'ignores-force': {
    title: 'Never asks again',
    saml: 'Answers from a session that began an hour ago, whatever it is told (ForceAuthn); until taken back.',
    oidc: 'Answers from a session that began an hour ago, whatever it is told (prompt=login); until taken back.',
    stays: true,
  },
  'expired-metadata': { title: 'Expired metadata', saml: 'Serves metadata whose validUntil has passed, until taken back.', stays: true },
}

/** The IdP’s clock is that fast under the card; more than any sensible tolerance. */
export const clockSkewSeconds = 600

/** Until the end of the IdP's session under the card. */
export const shortSessionSeconds = 600

const oldSessionSeconds = 3600

/** How long ago the person signed in, as the IdP tells it. `mustAskAgain`: ForceAuthn or prompt=login. */
export const sessionAgeSeconds = (faults: ReadonlySet<FaultId>, mustAskAgain: boolean): number =>
  faults.has('ignores-force') || (faults.has('old-session') && !mustAskAgain) ? oldSessionSeconds : 0

export type CardView = { readonly id: FaultId; readonly title: string; readonly effect: string; readonly isArmed: boolean }

export type Faults = {
  /** The cards that this company's protocol knows. */
  cards(company: Company): readonly CardView[]
  /** False: the company's protocol has no such fault. */
  arm(company: Company, fault: FaultId): boolean
  disarm(company: Company, fault: FaultId): void
  isArmed(company: Company, fault: FaultId): boolean
  /** Takes the armed cards for one login; all but those that stay are spent. */
  takeForLogin(company: Company): ReadonlySet<FaultId>
}

export function createFaults(): Faults {
  const armed = new Map<string, Set<FaultId>>()
  const of = (company: Company) => armed.get(company.id) ?? armed.set(company.id, new Set()).get(company.id) ?? new Set<FaultId>()
  const effect = (company: Company, fault: FaultId) => faultCards[fault][company.protocol]
  return {
    cards: (company) =>
      faultIds.flatMap((id) => {
        const says = effect(company, id)
        return says === undefined ? [] : [{ id, title: faultCards[id].title, effect: says, isArmed: of(company).has(id) }]
      }),
    arm: (company, fault) => {
      if (effect(company, fault) === undefined) return false
      of(company).add(fault)
      return true
    },
    disarm: (company, fault) => {
      of(company).delete(fault)
    },
    isArmed: (company, fault) => of(company).has(fault),
    takeForLogin: (company) => {
      const taken = new Set(of(company))
      for (const fault of taken) if (faultCards[fault].stays === undefined) of(company).delete(fault)
      return taken
    },
  }
}

export function isFaultId(value: string): value is FaultId {
  return (faultIds as readonly string[]).includes(value)
}
