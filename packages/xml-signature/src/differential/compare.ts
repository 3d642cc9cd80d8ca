/** Asks everybody about each message and counts. A disagreement that would let somebody in is kept in full. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { askXmlsec1, hasXmlsec1, type MessageToAsk } from './ask-xmlsec1.js'
import { identityOf } from './identity.js'
import { messageStream, type StreamedMessage } from './message-stream.js'
import { type OurVerdict, ourVerdict } from './our-verdict.js'
import { isSameTree } from './same-tree.js'
import { saxesTree } from './saxes-tree.js'
import { askXmlCrypto, nodeSamlFor } from './second-opinions.js'
import type { Signer } from './sign-message.js'

export type Counts = Map<string, number>
export type Disagreement = { readonly kind: string; readonly mutations: readonly string[]; readonly message: string }
export type Comparison = {
  readonly messages: number
  readonly counts: Counts
  readonly disagreements: readonly Disagreement[]
  readonly seconds: number
}

export type ComparisonPlan = {
  readonly seed: number
  readonly messages: number
  /** Ends earlier, after so many minutes. */
  readonly minutes: number
  /** One in so many of the messages that we refuse is shown to xml-crypto, one in so many that we accept to xml-crypto and node-saml; xmlsec1 sees all of these. */
  readonly sampleRefused: number
  readonly sampleAccepted: number
}

type Asked = { readonly ask: MessageToAsk; readonly streamed: StreamedMessage; readonly ours: OurVerdict }
type Court = {
  readonly plan: ComparisonPlan
  readonly keys: readonly KeyObject[]
  readonly pems: readonly string[]
  readonly nodeSaml: (message: string) => Promise<string | undefined>
  readonly counts: Counts
  readonly disagreements: Disagreement[]
  /** Accepted by us, not yet judged by xmlsec1. */
  readonly pending: Asked[]
  readonly asksXmlsec1: boolean
}

const batch = 1000

export async function compare(plan: ComparisonPlan, progress: (done: number) => void = () => undefined): Promise<Comparison> {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const signers: Signer[] = [
    { kind: 'rsa', privateKey: rsa.privateKey },
    { kind: 'ecdsa', privateKey: ec.privateKey },
  ]
  const keys = [rsa.publicKey, ec.publicKey]
  const pems = keys.map((key) => key.export({ type: 'spki', format: 'pem' }) as string)
  const court: Court = {
    plan,
    keys,
    pems,
    nodeSaml: nodeSamlFor(pems[0] ?? ''),
    counts: new Map(),
    disagreements: [],
    pending: [],
    asksXmlsec1: hasXmlsec1(),
  }
  const began = Date.now()
  let done = 0
  for (const streamed of messageStream(plan.seed, signers)) {
    await judge(court, streamed, done)
    done += 1
    if (court.pending.length >= batch) await askPending(court)
    if (done % 10_000 === 0) progress(done)
    if (done >= plan.messages || Date.now() - began > plan.minutes * 60_000) break
  }
  await askPending(court)
  return { messages: done, counts: court.counts, disagreements: court.disagreements, seconds: (Date.now() - began) / 1000 }
}

async function judge(court: Court, streamed: StreamedMessage, index: number): Promise<void> {
  count(court, streamed.mutations.length === 0 ? 'messages: honest' : 'messages: mutated')
  const ours = ourVerdict(streamed.message, court.keys)
  compareTrees(court, streamed, ours)
  if (ours.refused === undefined) await judgeAccepted(court, streamed, ours, index)
  else judgeRefused(court, streamed, ours.refused, index)
}

/** What we read, a general strict parser must read too, and the same. The other way round we may be stricter. */
function compareTrees(court: Court, streamed: StreamedMessage, ours: OurVerdict): void {
  const theirs = saxesTree(streamed.message.replace(/\r\n?/g, '\n'))
  if (ours.root === undefined) return count(court, theirs === undefined ? 'parser: both refuse' : `parser: only we refuse, ${ours.refused}`)
  if (theirs === undefined) return disagree(court, streamed, 'we read what saxes does not')
  if (isSameTree(ours.root, theirs)) return count(court, 'parser: same tree')
  disagree(court, streamed, 'saxes reads another tree')
}

async function judgeAccepted(court: Court, streamed: StreamedMessage, ours: OurVerdict, index: number): Promise<void> {
  count(court, streamed.mutations.length === 0 ? 'we accept: honest' : 'we accept: mutated')
  compareWithOctets(court, streamed, ours)
  const asked: Asked = { ask: toAsk(court, ours, streamed.message), streamed, ours }
  if (court.asksXmlsec1) court.pending.push(asked)
  if (!court.asksXmlsec1 || index % court.plan.sampleAccepted === 0) await askLibraries(court, asked)
}

/** Whether at least one of the two vouches for the message. Whatever they vouch for must be what we read. */
async function askLibraries(court: Court, { streamed, ours }: Asked): Promise<boolean> {
  const library = askXmlCrypto(streamed.message, court.keys)
  if (library === undefined) count(court, 'xml-crypto: refuses what we accept')
  else if (!isDeepStrictEqual(library.identities, ours.identities)) disagree(court, streamed, 'xml-crypto vouches for another identity')
  else
    count(
      court,
      isDeepStrictEqual(library.canonical, ours.canonical)
        ? 'xml-crypto: accepts, same octets'
        : 'xml-crypto: accepts, same identity, other octets',
    )
  const name = await court.nodeSaml(streamed.message)
  count(court, `node-saml: ${name === undefined ? 'refuses' : 'accepts'}`)
  const isSame = name === undefined || ours.identities.some((identity) => identity !== undefined && firstName(identity) === name)
  if (!isSame) disagree(court, streamed, 'node-saml names somebody else')
  return library !== undefined || name !== undefined
}
const firstName = (identity: string): string | undefined => (JSON.parse(identity) as [string[]])[0][0]

/** The octets, read by a stranger, must say what our tree says. */
function compareWithOctets(court: Court, streamed: StreamedMessage, ours: OurVerdict): void {
  const read = ours.canonical.map((text) => saxesTree(text)).map((tree) => tree && identityOf(tree))
  if (isDeepStrictEqual(read, ours.identities)) count(court, 'octets and tree agree')
  else disagree(court, streamed, 'the signed octets say another identity than our tree')
}

const toAsk = (court: Court, { places, keyKinds }: OurVerdict, message: string): MessageToAsk => ({
  message,
  signatures: places.map((place, index) => ({ place, key: court.pems[keyKinds[index] === 'ec' ? 1 : 0] ?? '' })),
})

async function askPending(court: Court): Promise<void> {
  const asked = court.pending.splice(0)
  const verdicts = askXmlsec1(asked.map(({ ask }) => ask))
  for (const [index, each] of asked.entries()) {
    count(court, `xmlsec1: ${verdicts[index] ? 'accepts, so its octets are ours' : 'refuses what we accept'}`)
    if (!verdicts[index] && !(await askLibraries(court, each))) disagree(court, each.streamed, 'only we accept')
  }
}

function judgeRefused(court: Court, streamed: StreamedMessage, reason: string, index: number): void {
  if (streamed.mutations.length === 0) return disagree(court, streamed, `an honest message is refused: ${reason}`)
  count(court, `we refuse: ${reason}`)
  if (index % court.plan.sampleRefused !== 0) return
  const accepts = askXmlCrypto(streamed.message, court.keys) !== undefined
  count(court, accepts ? `xml-crypto accepts what we refuse: ${reason}` : 'xml-crypto refuses too (sample)')
}

function count({ counts }: Court, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1)
}

function disagree(court: Court, { mutations, message }: StreamedMessage, kind: string): void {
  count(court, `DISAGREEMENT: ${kind}`)
  if (court.disagreements.length < 100) court.disagreements.push({ kind, mutations, message })
}
