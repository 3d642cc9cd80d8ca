/**
 * Logins through a company's IdP, in the order in which a browser meets them. The IdP is the bench's own, whose CPU counts for nobody, so
 * that what is measured is the broker's side alone.
 */
import type { SignatureReaderName } from '@drawbridge/upstream/saml/signature-reader-name'
import { comeHome, goOut, type Returning, redeem, signInAtIdp, signInAtProvider } from './browser-steps.js'
import { loop, type Sender, type Workload } from './closed-loop.js'
import type { SamlTenant } from './federation-tenants.js'
import type { Laboratory } from './laboratory.js'

export const federationRows = {
  authorize: 'SAML: authorize, to the AuthnRequest',
  signed: 'SAML: signed response at the ACS, to the code',
  encrypted: 'SAML: encrypted response at the ACS, to the code',
  saml: 'whole SAML login: authorize, ACS, token',
  oidc: 'whole login, OIDC upstream: authorize, callback, token',
} as const
export type FederationRow = keyof typeof federationRows

export const federationAims: Readonly<Record<FederationRow, string>> = {
  authorize: '0.30 + 0.12',
  signed: '0.80 + 0.20',
  encrypted: '1.4 + 0.25',
  saml: '1.6 + 0.6',
  oidc: '1.6 + 0.6',
}

const rounds = 5
/** Long warm-ups: what runs at a company's broker has been compiled by V8 for hours. */
const fullSizes = {
  authorize: { warmUp: 2000, perRound: 600 },
  signed: { warmUp: 1500, perRound: 300 },
  encrypted: { warmUp: 800, perRound: 200 },
  saml: { warmUp: 500, perRound: 200 },
  oidc: { warmUp: 500, perRound: 100 },
} as const
const trialSize = { warmUp: 16, perRound: 16 }
const trialSizes = { authorize: trialSize, signed: trialSize, encrypted: trialSize, saml: trialSize, oidc: trialSize } as const
export const federationSizes = (isTrial: boolean) => (isTrial ? trialSizes : fullSizes)

export type Row = Workload & { readonly row: FederationRow }

/** The rows of one reader of signatures; the OpenID provider's among those of our own, because it has no part in that. */
export function federationWorkloads(
  { federation, openIdTenant, idp }: Laboratory,
  sender: Sender,
  { isTrial, reader }: { readonly isTrial: boolean; readonly reader: SignatureReaderName },
): readonly Row[] {
  const sizes = federationSizes(isTrial)
  const { signed, encrypted } = federation[reader]
  const row = (name: FederationRow, rest: Pick<Workload, 'run' | 'prepare'>): Row => ({
    ...{ row: name, name: federationRows[name], aim: federationAims[name], rounds },
    ...sizes[name],
    ...rest,
  })
  const wayHome = (name: 'signed' | 'encrypted', tenant: SamlTenant): Row => {
    const waiting: Returning[] = []
    return row(name, {
      prepare: async () => {
        const goAndSignIn = async () => void waiting.push(signInAtIdp(idp, tenant, await goOut(sender, tenant)))
        await loop(goAndSignIn, 0, sizes[name].warmUp + rounds * sizes[name].perRound)
      },
      run: async () => void (await comeHome(sender, tenant, next(waiting))),
    })
  }
  const rows = [
    row('authorize', { run: async () => void (await goOut(sender, signed)) }),
    wayHome('signed', signed),
    wayHome('encrypted', encrypted),
    row('saml', {
      run: async () => {
        const returning = signInAtIdp(idp, signed, await goOut(sender, signed))
        await redeem(sender, signed, (await comeHome(sender, signed, returning)).code)
      },
    }),
  ]
  const overOpenId = async () =>
    redeem(sender, openIdTenant, await signInAtProvider(sender, openIdTenant, await goOut(sender, openIdTenant)))
  return reader === 'xml-signature' ? [...rows, row('oidc', { run: overOpenId })] : rows
}

/** What was prepared is used up once. */
export function next<Prepared>(waiting: Prepared[]): Prepared {
  const found = waiting.pop()
  if (found === undefined) throw new Error('the workload was prepared for fewer operations than it runs')
  return found
}
