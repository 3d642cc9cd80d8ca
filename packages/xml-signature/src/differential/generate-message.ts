/** Honest messages in every dress: prefixes, defaults, declarations near and far, characters that need escaping, pretty or not. */
import type { Random } from './random.js'

export const uris = {
  protocol: 'urn:oasis:names:tc:SAML:2.0:protocol',
  assertion: 'urn:oasis:names:tc:SAML:2.0:assertion',
  schema: 'http://www.w3.org/2001/XMLSchema',
  instance: 'http://www.w3.org/2001/XMLSchema-instance',
} as const

/** Who the messages are about, so that another identity is seen at once. */
export const honestNames = [
  'ada@acme.example',
  'grace@acme.example',
  'Ünïcödé 𝒜da',
  'a&amp;b &lt;c&gt; "d"',
  'tab&#9;cr&#13;lf&#10;end',
  "o'neil &#x1F600;",
] as const
const values = [
  'staff',
  'engineering',
  '',
  ' padded ',
  'a > b',
  'line\nbreak',
  '&#xD;&#xA;',
  '日本語',
  '&quot;&apos;',
  '𝄞',
  ']] &gt;',
  'x'.repeat(300),
] as const
const attributeValues = [
  'plain',
  'with "quotes"',
  'a &lt; b &amp; c',
  'tab&#9;lf&#10;cr&#13;',
  'two\nlines\tand tab',
  '',
  'é𝄞',
  '> raw',
  ']]>',
] as const

type Dress = { readonly random: Random; readonly protocol: string; readonly assertion: string; readonly indent: boolean }

export const idPlaces = ['_response1', '_assertion1'] as const
export type SignedPlace = (typeof idPlaces)[number]

/** An unsigned response; where a signature will stand there is `<!--SIGNATURE id-->`, which signing takes out. */
export function generateMessage(random: Random): string {
  const protocol = random.pick(['samlp', 'saml2p', 'p', ''])
  const assertion = random.pick(protocol === '' ? ['saml', 'saml2', 'a'] : ['saml', 'saml2', 'a', ''])
  const dress: Dress = { random, protocol, assertion, indent: random.oneIn(3) }
  const lang = random.oneIn(6) ? ' xml:lang="en"' : ''
  const early = assertion !== '' && random.oneIn(2) ? declaration(assertion, uris.assertion) : ''
  const stray = random.oneIn(3)
    ? ` xmlns:${random.pick(['xs', 'q', 'B', 'unused'])}="${random.pick([uris.schema, 'urn:stray', 'http://a.example/?b=c#d'])}"`
    : ''
  const head = `${declaration(protocol, uris.protocol)}${early}${stray}${lang} ID="_response1" Version="2.0" IssueInstant="2026-11-23T12:00:00Z" Destination="https://sp.example/acs" InResponseTo="_request1"`
  const status = element(
    dress,
    protocol,
    'Status',
    '',
    element(dress, protocol, 'StatusCode', ' Value="urn:oasis:names:tc:SAML:2.0:status:Success"', ''),
  )
  const inside = [issuer(dress, early === ''), '<!--SIGNATURE _response1-->', status, assertionOf(dress)]
  return `${random.oneIn(5) ? '<?xml version="1.0" encoding="UTF-8"?>\n' : ''}${element(dress, protocol, 'Response', head, inside.join(gap(dress)))}`
}

const declaration = (prefix: string, namespace: string): string => ` ${prefix === '' ? 'xmlns' : `xmlns:${prefix}`}="${namespace}"`
const gap = ({ indent, random }: Dress): string => (indent ? random.pick(['\n  ', '\n', ' ', '\r\n\t']) : '')
const prefixed = (prefix: string, name: string): string => (prefix === '' ? name : `${prefix}:${name}`)

function element(dress: Dress, prefix: string, name: string, attributes: string, inside: string): string {
  const tag = prefixed(prefix, name)
  const redeclared = dress.random.oneIn(25) ? declaration(dress.random.pick(['z', 'xs']), 'urn:redeclared') : ''
  const separated = attributes.includes(' xmlns:xs=') || attributes.includes(' xmlns:z=') ? '' : redeclared
  if (inside === '' && dress.random.oneIn(2)) return `<${tag}${attributes}${separated}/>`
  return `<${tag}${attributes}${separated}>${inside}</${tag}>`
}

const issuer = (dress: Dress, declares: boolean): string =>
  element(dress, dress.assertion, 'Issuer', declares ? declaration(dress.assertion, uris.assertion) : '', 'https://idp.example/saml')

function assertionOf(dress: Dress): string {
  const { random, assertion: prefix } = dress
  const inSaml = (name: string, attributes: string, inside: string): string => element(dress, prefix, name, attributes, inside)
  const extra = random.oneIn(4) ? ` xmlns:xs="${uris.schema}"` : ''
  const data = inSaml(
    'SubjectConfirmationData',
    ' InResponseTo="_request1" Recipient="https://sp.example/acs" NotOnOrAfter="2036-11-23T12:05:00Z"',
    '',
  )
  const confirmation = inSaml('SubjectConfirmation', ' Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"', data)
  const format = random.oneIn(2) ? ' Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"' : ''
  const subject = inSaml('Subject', '', inSaml('NameID', format, random.pick(honestNames)) + gap(dress) + confirmation)
  const conditions = inSaml(
    'Conditions',
    ' NotBefore="2026-11-23T11:55:00Z" NotOnOrAfter="2036-11-23T12:05:00Z"',
    inSaml('AudienceRestriction', '', inSaml('Audience', '', 'https://sp.example')),
  )
  const statement = inSaml(
    'AuthnStatement',
    ' AuthnInstant="2026-11-23T11:59:00Z" SessionIndex="_s1"',
    inSaml('AuthnContext', '', inSaml('AuthnContextClassRef', '', 'urn:c')),
  )
  const attributes = inSaml(
    'AttributeStatement',
    '',
    Array.from({ length: 1 + random.below(4) }, (_, index) => attributeOf(dress, index)).join(gap(dress)),
  )
  const head = `${declaration(prefix, uris.assertion)}${extra} ID="_assertion1" Version="2.0" IssueInstant="2026-11-23T12:00:00Z"`
  const inside = [
    inSaml('Issuer', '', 'https://idp.example/saml'),
    '<!--SIGNATURE _assertion1-->',
    subject,
    conditions,
    statement,
    attributes,
  ]
  return inSaml('Assertion', head, inside.join(gap(dress)))
}

function attributeOf(dress: Dress, index: number): string {
  const { random, assertion: prefix } = dress
  const typed = random.oneIn(2) ? ` xmlns:xsi="${uris.instance}" xmlns:xs="${uris.schema}" xsi:type="xs:string"` : ''
  const foreign = random.oneIn(4)
    ? ` xmlns:b="urn:b" b:note="${random.pick(attributeValues).replaceAll('"', '&quot;')}" xmlns:a2="urn:a" a2:note='${random.pick(attributeValues)}'`
    : ''
  const value = element(dress, prefix, 'AttributeValue', typed, random.pick(values))
  const friendly = random.oneIn(3) ? ` FriendlyName="${random.pick(attributeValues).replaceAll('"', '&quot;')}"` : ''
  return element(dress, prefix, 'Attribute', ` Name="attribute${index}"${friendly}${foreign}`, value + (random.oneIn(4) ? value : ''))
}
