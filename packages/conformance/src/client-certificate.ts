/** Clients that prove themselves by the certificate of their TLS connection, which a proxy hands on. */
import assert from 'node:assert/strict'
import { post, type Requirement, refusedWith, type ShownCertificate, type Target } from './requirement.js'

const ask = ({ issuer, resource, certified }: Target, headers: Readonly<Record<string, string>>, id = certified.id) =>
  post(`${issuer}/token`, { grant_type: 'client_credentials', client_id: id, resource }, headers)

const refused: readonly [section: string, says: string, which: ShownCertificate][] = [
  ['RFC 8705 §2.1', 'takes no certificate of another name', 'of-other'],
  ['RFC 5280 §6.1.3', 'takes no certificate that is over', 'lapsed'],
  ['RFC 9440 §2.4', 'takes the header from nobody but its proxy', 'own-by-stranger'],
]

export const clientCertificateRequirements: readonly Requirement[] = [
  {
    section: 'RFC 8705 §2',
    level: 'MUST',
    says: 'knows a client by client_id and the certificate that was registered for it',
    ask: async (target) => {
      const { status, json } = await ask(target, target.certified.showing('own'))
      assert.deepEqual([status, typeof json['access_token'], json['token_type']], [200, 'string', 'Bearer'])
    },
  },
  ...refused.map(
    ([section, says, which]): Requirement => ({
      section,
      level: 'MUST NOT',
      says,
      ask: async (target) => refusedWith(await ask(target, target.certified.showing(which)), ['invalid_client']),
    }),
  ),
  {
    section: 'RFC 8705 §2',
    level: 'MUST NOT',
    says: 'takes the name of such a client for its proof',
    ask: async (target) => refusedWith(await ask(target, {}), ['invalid_client']),
  },
  {
    section: 'RFC 7591 §2',
    level: 'MUST NOT',
    says: 'takes a certificate for the secret of a client that has one',
    ask: async (target) => refusedWith(await ask(target, target.certified.showing('own'), target.machine.id), ['invalid_client']),
  },
  {
    section: 'RFC 8705 §2.1.1',
    level: 'MUST',
    says: 'lists the method',
    ask: async ({ issuer }) => {
      const metadata = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as Record<string, unknown>
      const methods = metadata['token_endpoint_auth_methods_supported']
      assert.ok(Array.isArray(methods) && methods.includes('tls_client_auth'), String(methods))
    },
  },
  {
    section: 'RFC 8705 §2.1.2',
    level: 'MUST',
    says: 'registers exactly one name of a certificate',
    ask: async ({ issuer }) => {
      const names = [
        {},
        { tls_client_auth_san_dns: 'a.example', tls_client_auth_subject_dn: 'CN=a' },
        { tls_client_auth_san_dns: 'a.example' },
      ]
      const answers = await Promise.all(
        names.map((name) =>
          fetch(`${issuer}/register`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ redirect_uris: ['https://a.example/cb'], token_endpoint_auth_method: 'tls_client_auth', ...name }),
          }),
        ),
      )
      assert.deepEqual(
        answers.map(({ status }) => status),
        [400, 400, 201],
      )
    },
  },
]
