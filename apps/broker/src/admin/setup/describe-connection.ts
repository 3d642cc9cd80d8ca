/** From what a company's IT types to a draft: the same reading, and the same diagnosis, as an admin's. */
import type { DraftContent } from '@drawbridge/store/connection-drafts'
import { diagnoseProvider } from '@drawbridge/upstream/oidc/diagnose'
import { isOidcError, oidcFindings } from '@drawbridge/upstream/oidc/findings'
import { oidcVendorOf } from '@drawbridge/upstream/oidc/vendors'
import { type MetadataFindingCode, metadataFindings } from '@drawbridge/upstream/saml/metadata-findings'
import type { BrokerDeps } from '../../deps.js'
import type { Answer } from '../../http/answer.js'
import type { SingleValuedForm } from '../../http/form.js'
import { decodeUtf8 } from '../../http/read-body.js'
import { sealContextOf } from '../../http/seal-context.js'
import { connectionDraft, readConnectionDraft } from '../connection-draft.js'
import type { Said } from './setup-pages.js'
import type { SetupSession } from './setup-session.js'

type Understood = { readonly said: Said; readonly content: DraftContent | undefined }

const refused = (...errors: readonly string[]): Understood => ({ said: { errors, warnings: [] }, content: undefined })

/** As it was sent; `file`: the metadata, if a file was chosen. */
export type Described = { readonly form: SingleValuedForm; readonly file: Buffer | undefined }

export async function describeConnection(said: Described, session: SetupSession, deps: BrokerDeps): Promise<Understood> {
  const { form } = said
  if (form['kind'] === 'saml') return describeSaml(said, session, deps)
  return form['kind'] === 'oidc' ? describeOidc(form, session, deps) : refused('Choose SAML or OpenID Connect.')
}

/** Of the NameID formats that metadata lists, what a draft keeps: honest IdPs list eight at most. */
const [mostFormats, longestFormat] = [12, 200]

const wordsOfFinding = (code: MetadataFindingCode): string => `${metadataFindings[code].cause} ${metadataFindings[code].remedy}`
const filled = (text: string | undefined): string | undefined => text?.trim() || undefined
const nameOf = ({ tenant }: SetupSession): string => `${tenant.name} sign-in`.slice(0, 200)

/** By its address, as a file or as text. A field of a file that was left empty is a file without octets. */
async function describeSaml({ form, file }: Described, session: SetupSession, deps: BrokerDeps): Promise<Understood> {
  const metadataUrl = filled(form['metadataUrl'])
  const pasted = filled(form['metadataXml'])
  const uploaded = file === undefined || file.length === 0 ? undefined : file
  if ([metadataUrl, pasted, uploaded].filter((each) => each !== undefined).length !== 1)
    return refused('Give the address of the metadata, its file or the document: one of them.')
  const metadataXml = uploaded === undefined ? pasted : decodeUtf8(uploaded)
  if (metadataXml === undefined && metadataUrl === undefined) return refused(wordsOfFinding('document_not_utf8'))
  return read({ kind: 'saml', name: nameOf(session), ...(metadataUrl === undefined ? { metadataXml } : { metadataUrl }) }, session, deps)
}

async function describeOidc(form: SingleValuedForm, session: SetupSession, deps: BrokerDeps): Promise<Understood> {
  const [issuer, clientId, clientSecret] = [filled(form['issuer']), filled(form['clientId']), filled(form['clientSecret'])]
  if (issuer === undefined || clientId === undefined) return refused('Issuer and client ID are needed.')
  const diagnosis = await diagnoseProvider(deps.fetchSafely, { issuer, configuration: { clientId } })
  const tell = ({ code }: (typeof diagnosis.findings)[number]) => `${oidcFindings[code].cause} ${oidcFindings[code].remedy}`
  const errors = diagnosis.findings.filter(isOidcError).map(tell)
  if (errors.length > 0) return refused(...errors)
  const preset = diagnosis.vendor === undefined ? {} : oidcVendorOf(diagnosis.vendor).preset
  const configuration = { ...preset, issuer: diagnosis.issuer ?? issuer, clientId }
  const described = await read({ kind: 'oidc', name: nameOf(session), configuration, clientSecret }, session, deps)
  const warnings = diagnosis.findings.filter((finding) => !isOidcError(finding)).map(tell)
  return { ...described, said: { errors: described.said.errors, warnings: [...warnings, ...described.said.warnings] } }
}

async function read(given: Readonly<Record<string, unknown>>, session: SetupSession, deps: BrokerDeps): Promise<Understood> {
  const body = connectionDraft.safeParse(given)
  if (!body.success) return refused(...body.error.issues.slice(0, 5).map(({ path, message }) => `${path.join('.')}: ${message}`))
  const draft = await readConnectionDraft(body.data, deps)
  if (!draft.ok) return refused(...wordsOf(draft.error))
  const { kind, name, clientSecret } = body.data
  const context = sealContextOf({ deps, tenant: session.tenant }, 'connection_drafts', 'sealed_secret', session.draft.id)
  const sealedSecret = clientSecret === undefined ? undefined : deps.sealer.seal(Buffer.from(clientSecret, 'utf8'), context)
  const { configuration, warnings } = draft.value
  const nameIdFormats = draft.value.nameIdFormats.slice(0, mostFormats).map((format) => Array.from(format).slice(0, longestFormat).join(''))
  const source = draft.value.source && { ...draft.value.source, nameIdFormats }
  const toWords = (code: string) => wordsOfFinding(code as MetadataFindingCode)
  return { said: { errors: [], warnings: warnings.map(toWords) }, content: { kind, name, configuration, source, sealedSecret } }
}

/** The words of a refusal that was made for the admin API. */
const wordsOf = (answer: Answer): readonly string[] =>
  answer.kind === 'problem' ? (answer.problem.errors?.map(({ message }) => message) ?? [answer.problem.detail ?? answer.problem.title]) : []
