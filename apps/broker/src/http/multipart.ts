/**
 * Forms with a file, as a browser sends them without a script: each name once, a few small headers, and nothing that browsers do not write.
 *
 * The body has been read whole and is bounded by its endpoint. Names that a sender gives its files are not kept: nothing here needs them.
 *
 * @spec RFC 7578 §4
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import { type FormRefusal, formLimits, type SingleValuedForm } from './form.js'
import { decodeUtf8 } from './read-body.js'

export type FilledForm = { readonly form: SingleValuedForm; readonly files: ReadonlyMap<string, Buffer> }
/** What no other body has. */
export const noFiles: ReadonlyMap<string, Buffer> = new Map()

/** Of all headers of one part. Browsers write two: which field it is, and which type a file is said to have. */
const mostHeaderOctets = 2048

const malformed = (parameter?: string): Result<never, FormRefusal> =>
  err({ reason: 'parameter_malformed', ...(parameter !== undefined && { parameter }) })

const boundaryShape = /^multipart\/form-data\s*;\s*boundary="?([0-9A-Za-z'()+_,./:=?-]{1,70})"?\s*$/i

export function parseMultipart(contentType: string, body: Buffer): Result<FilledForm, FormRefusal> {
  const boundary = boundaryShape.exec(contentType)?.[1]
  if (boundary === undefined) return malformed()
  const form = Object.create(null) as Record<string, string>
  const files = new Map<string, Buffer>()
  const parts = splitParts(body, boundary)
  if (!parts.ok) return parts
  for (const octets of parts.value) {
    const part = readPart(octets)
    if (part === undefined) return malformed()
    const { name, content } = part
    if (name in form || files.has(name)) return err({ reason: 'parameter_repeated', parameter: name })
    if (part.isFile) files.set(name, content)
    else {
      const value = decodeUtf8(content)
      if (value === undefined || value.includes('\0')) return malformed(name)
      form[name] = value
    }
  }
  return ok({ form, files })
}

/** What stands between the delimiters. Text before the first, and a delimiter that goes on as something else, are no form. RFC 2046 §5.1.1 */
function splitParts(body: Buffer, boundary: string): Result<readonly Buffer[], FormRefusal> {
  const between = Buffer.from(`\r\n--${boundary}`, 'latin1')
  if (body.indexOf(between.subarray(2)) !== 0) return malformed()
  const parts: Buffer[] = []
  let at = between.length - 2
  while (body.toString('latin1', at, at + 2) === '\r\n') {
    if (parts.length === formLimits.parameters) return err({ reason: 'parameters_too_many' })
    const end = body.indexOf(between, at + 2)
    if (end === -1) return malformed()
    parts.push(body.subarray(at + 2, end))
    at = end + between.length
  }
  const rest = body.toString('latin1', at, at + 5)
  return rest === '--' || rest === '--\r\n' ? ok(parts) : malformed()
}

const nameShape = /^form-data; *name="([^"\\]*)"(; *filename="(?:[^"\\]|\\.)*")?$/i

/** `undefined`: not as a browser writes it. An encoding of its own, or a set of files in one field, is refused with everything unknown. */
function readPart(octets: Buffer): { readonly name: string; readonly isFile: boolean; readonly content: Buffer } | undefined {
  const end = octets.subarray(0, mostHeaderOctets).indexOf('\r\n\r\n')
  const headers = end === -1 ? undefined : decodeUtf8(octets.subarray(0, end))?.split('\r\n')
  if (headers === undefined) return undefined
  const read = new Map<string, string>()
  for (const line of headers) {
    const colon = line.indexOf(':')
    const field = line.slice(0, Math.max(0, colon)).toLowerCase()
    if (!['content-disposition', 'content-type'].includes(field) || read.has(field)) return undefined
    read.set(field, line.slice(colon + 1).trim())
  }
  const [, name, file] = nameShape.exec(read.get('content-disposition') ?? '') ?? []
  if (name === undefined || name.length > formLimits.nameLength || name.includes('\0')) return undefined
  return { name, isFile: file !== undefined, content: octets.subarray(end + 4) }
}
