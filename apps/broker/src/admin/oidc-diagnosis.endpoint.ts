/** An OpenID provider, looked at before a connection to it is saved: what is wrong, why, and how to mend it. Nothing is stored. */
import { diagnoseProvider, type OidcDiagnosis } from '@drawbridge/upstream/oidc/diagnose'
import { oidcFindings } from '@drawbridge/upstream/oidc/findings'
import { oidcVendorOf } from '@drawbridge/upstream/oidc/vendors'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { adminEndpoint } from './admin-endpoint.js'

const shown = z.strictObject({
  usable: z.boolean().describe('Nothing that was found keeps the connection from working'),
  issuer: z.string().nullable().describe('As the discovery document names it: the value for the connection'),
  vendor: z
    .strictObject({
      id: z.string(),
      name: z.string(),
      stableId: z.string().describe('Which claim never changes'),
      guide: z.string().describe('Section of docs/how-to/connect-an-oidc-idp.md'),
    })
    .nullable(),
  endpoints: z.record(z.string(), z.string()),
  preset: z.record(z.string(), z.unknown()).describe('Proposed members of the configuration; what is written wins over them'),
  findings: z.array(
    z.strictObject({
      code: z.string(),
      severity: z.enum(['error', 'warning', 'notice']).describe('An error keeps the connection from working'),
      cause: z.string(),
      remedy: z.string(),
      detail: z.record(z.string(), z.string()).optional(),
    }),
  ),
})

function show({ usable, issuer, vendor, endpoints, findings }: OidcDiagnosis): z.output<typeof shown> {
  const row = vendor === undefined ? undefined : oidcVendorOf(vendor)
  return {
    usable,
    issuer: issuer ?? null,
    vendor: row === undefined || vendor === undefined ? null : { id: vendor, name: row.name, stableId: row.stableId, guide: row.guide },
    endpoints: { ...endpoints },
    preset: { ...row?.preset },
    findings: findings.map(({ code, detail }) => {
      const { severity, cause, remedy } = oidcFindings[code]
      return { code, severity, cause, remedy, ...(detail && { detail: { ...detail } }) }
    }),
  }
}

const diagnose = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/connections/diagnose-oidc',
  tag: 'Connections',
  summary: 'Look at an OpenID provider before a connection to it is saved: discovery, keys, what is wrong and how to mend it',
  // It makes the broker fetch an address of the caller's choice, as saving a connection does.
  permission: 'impersonate',
  body: z.strictObject({
    issuer: z.string().min(1).max(2048),
    configuration: z.record(z.string(), z.unknown()).default({}).describe('Members of the connection that are chosen already'),
  }),
  answer: shown,
  run: async (http, deps) => json(show(await diagnoseProvider(deps.fetchSafely, http.parsed))),
})

export const oidcDiagnosisEndpoints = [diagnose]
