/** Signs a generated message. With our canonicalisation, so that a mistake in it shows as a message that we alone accept. */
import { createHash, type KeyObject, sign } from 'node:crypto'
import { type Canonicalization, canonicalize } from '../canonicalize.js'
import { parseDocument } from '../parse-document.js'
import { envelopedSignature, inclusiveC14n, namespaces } from '../xml-namespaces.js'
import { isNamed, type XmlElement } from '../xml-tree.js'
import { idPlaces, type SignedPlace } from './generate-message.js'
import type { Random } from './random.js'

export type Signer = { readonly kind: 'rsa' | 'ecdsa'; readonly privateKey: KeyObject }
type Hash = 'sha256' | 'sha384' | 'sha512'
type Plan = {
  readonly digest: Hash
  readonly hash: Hash
  readonly signer: Signer
  readonly of: Canonicalization
  readonly info: Canonicalization
  readonly prefix: string
}

const digestUris = {
  sha256: 'http://www.w3.org/2001/04/xmlenc#sha256',
  sha384: 'http://www.w3.org/2001/04/xmldsig-more#sha384',
  sha512: 'http://www.w3.org/2001/04/xmlenc#sha512',
} as const

/** The assertion first: a signature of the response covers the one inside. */
export function signMessage(message: string, places: readonly SignedPlace[], signers: readonly Signer[], random: Random): string {
  const [inner, outer] = [idPlaces[1], idPlaces[0]]
  const unplanned = idPlaces.filter((id) => !places.includes(id)).reduce((text, id) => text.replace(`<!--SIGNATURE ${id}-->`, ''), message)
  return [inner, outer].filter((id) => places.includes(id)).reduce((text, id) => signPlace(text, id, planOf(signers, random)), unplanned)
}

function planOf(signers: readonly Signer[], random: Random): Plan {
  const hash = (): Hash => random.pick(['sha256', 'sha256', 'sha384', 'sha512'])
  return {
    digest: hash(),
    hash: hash(),
    signer: random.pick(signers),
    of: canonicalizationOf(random),
    info: random.oneIn(10) ? canonicalizationOf(random) : { kind: 'exclusive', prefixList: [] },
    prefix: random.pick(['ds', 'dsig', '']),
  }
}

function canonicalizationOf(random: Random): Canonicalization {
  if (random.oneIn(8)) return { kind: 'inclusive' }
  if (!random.oneIn(3)) return { kind: 'exclusive', prefixList: [] }
  const prefixList = ['xs', 'xsi', 'saml', '', 'B', 'q', 'z', 'nowhere'].filter(() => random.oneIn(3))
  return { kind: 'exclusive', prefixList }
}

function signPlace(message: string, id: SignedPlace, plan: Plan): string {
  const marker = `<!--SIGNATURE ${id}-->`
  // The other marker is not yet a signature, and a comment may not be in what we read.
  const hidden = message.replace(marker, '\uE000').replace(/<!--SIGNATURE [^>]*-->/, '\uE001')
  const other = /<!--SIGNATURE [^>]*-->/.exec(message.replace(marker, ''))?.[0] ?? ''
  const fill = (digest: string, value: string): string =>
    hidden.replace('\uE001', '').replace('\uE000', () => signatureXml(id, plan, digest, value))
  const draft = signatureIn(fill('', ''), id)
  const digest = createHash(plan.digest)
    .update(canonicalize(draft.path, plan.of, draft.signature))
    .digest('base64')
  const { path, signature } = signatureIn(fill(digest, ''), id)
  const info = Buffer.from(canonicalize([...path, signature, signature.children[0] as XmlElement], plan.info))
  const value = sign(plan.hash, info, { key: plan.signer.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64')
  return hidden.replace('\uE001', other).replace('\uE000', () => signatureXml(id, plan, digest, value))
}

function signatureIn(message: string, id: SignedPlace): { path: XmlElement[]; signature: XmlElement } {
  const parsed = parseDocument(message)
  if (!parsed.ok) throw new Error(`a generated message must be readable: ${JSON.stringify(parsed.error)} in ${message}`)
  const root = parsed.value
  const assertion = root.children.find((child) => isNamed(child, namespaces.assertion, 'Assertion'))
  const path = id === '_response1' || assertion === undefined ? [root] : [root, assertion]
  const signature = path.at(-1)?.children.find((child) => isNamed(child, namespaces.signature, 'Signature'))
  if (signature === undefined) throw new Error('a generated message has the signature that was put into it')
  return { path, signature }
}

function signatureXml(id: string, plan: Plan, digest: string, value: string): string {
  const tag = (name: string): string => (plan.prefix === '' ? name : `${plan.prefix}:${name}`)
  const declaration = plan.prefix === '' ? 'xmlns' : `xmlns:${plan.prefix}`
  const method = `http://www.w3.org/2001/04/xmldsig-more#${plan.signer.kind}-${plan.hash}`
  const transforms = `<${tag('Transform')} Algorithm="${envelopedSignature}"/>${algorithmXml(tag('Transform'), plan.of)}`
  const reference = `<${tag('Reference')} URI="#${id}"><${tag('Transforms')}>${transforms}</${tag('Transforms')}><${tag('DigestMethod')} Algorithm="${digestUris[plan.digest]}"/><${tag('DigestValue')}>${digest}</${tag('DigestValue')}></${tag('Reference')}>`
  const info = `<${tag('SignedInfo')}>${algorithmXml(tag('CanonicalizationMethod'), plan.info)}<${tag('SignatureMethod')} Algorithm="${method}"/>${reference}</${tag('SignedInfo')}>`
  return `<${tag('Signature')} ${declaration}="${namespaces.signature}">${info}<${tag('SignatureValue')}>${value}</${tag('SignatureValue')}></${tag('Signature')}>`
}

function algorithmXml(tag: string, how: Canonicalization): string {
  if (how.kind === 'inclusive') return `<${tag} Algorithm="${inclusiveC14n}"/>`
  if (how.prefixList.length === 0) return `<${tag} Algorithm="${namespaces.exclusiveC14n}"/>`
  const list = how.prefixList.map((prefix) => (prefix === '' ? '#default' : prefix)).join(' ')
  return `<${tag} Algorithm="${namespaces.exclusiveC14n}"><ec:InclusiveNamespaces xmlns:ec="${namespaces.exclusiveC14n}" PrefixList="${list}"/></${tag}>`
}
