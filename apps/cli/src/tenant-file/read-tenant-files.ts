/** Texts → tenants, each value with its place. Every mistake of every file at once; never throws. */
import { type Path, type Place, type PlacedYaml, pathText, readYaml } from '@drawbridge/core/placed-yaml'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { z } from 'zod'
import { findMistakes } from './check-tenant.js'
import { type TenantFile, tenantFileLimits, tenantShape } from './shape.js'

export type FileText = { readonly file: string; readonly text: string }
/** Lines and columns count from 1. */
export type FileMistake = Place & { readonly file: string; readonly path: string; readonly say: string }
export type PlacedTenant = { readonly file: string; readonly value: TenantFile; readonly placeOf: (path: Path) => Place }

const mostMistakes = 100

/** `only`: the one slug that these files may name. */
export function readTenantFiles(texts: readonly FileText[], only?: string): Result<readonly PlacedTenant[], readonly FileMistake[]> {
  const mistakes: FileMistake[] = []
  const tenants: PlacedTenant[] = []
  for (const { file, text } of texts) {
    const read = readFile(file, text)
    if (read.ok) tenants.push(...read.value)
    else mistakes.push(...read.error)
  }
  for (const tenant of tenants) for (const { path, say } of findMistakes(tenant.value)) mistakes.push(mistakeAt(tenant, path, say))
  for (const [index, tenant] of tenants.entries()) {
    const { slug } = tenant.value.tenant
    if (only !== undefined && slug !== only)
      mistakes.push(mistakeAt(tenant, ['tenant', 'slug'], `the file is of ${slug}, and --tenant names ${only}`))
    const earlier = tenants.slice(0, index).find(({ value }) => value.tenant.slug === slug)
    if (earlier) mistakes.push(mistakeAt(tenant, ['tenant', 'slug'], `${earlier.file} says this tenant already`))
  }
  return mistakes.length === 0 ? ok(tenants) : err(mistakes.slice(0, mostMistakes))
}

export const mistakeAt = ({ file, placeOf }: Pick<PlacedTenant, 'file' | 'placeOf'>, path: Path, say: string): FileMistake => ({
  file,
  ...placeOf(path),
  path: pathText(path),
  say,
})

function readFile(file: string, text: string): Result<readonly PlacedTenant[], readonly FileMistake[]> {
  const at = (place: Place | undefined, say: string): FileMistake => ({ file, line: 1, column: 1, ...place, path: '', say })
  if (Buffer.byteLength(text) > tenantFileLimits.bytes) return err([at(undefined, `larger than ${tenantFileLimits.bytes} bytes`)])
  const read = readYaml(text)
  if (!read.ok) return err(read.error.map(({ place, say }) => at(place, say)))
  const documents = read.value.filter(({ value }) => value !== null)
  if (documents.length === 0) return err([at(undefined, 'there is no tenant in it')])
  if (documents.length > tenantFileLimits.documents) return err([at(undefined, `more than ${tenantFileLimits.documents} documents`)])
  const shaped = documents.map((document) => readShape(file, document))
  const mistakes = shaped.flatMap((each) => (each.ok ? [] : each.error))
  return mistakes.length > 0 ? err(mistakes) : ok(shaped.flatMap((each) => (each.ok ? [each.value] : [])))
}

function readShape(file: string, { value, placeOf }: PlacedYaml): Result<PlacedTenant, readonly FileMistake[]> {
  const parsed = tenantShape.safeParse(value)
  if (parsed.success) return ok({ file, value: parsed.data, placeOf })
  return err(parsed.error.issues.flatMap(explain).map(({ path, say }) => mistakeAt({ file, placeOf }, path, say)))
}

type Explained = { readonly path: Path; readonly say: string }

/** A member that nobody knows is a mistake at that member, not at what it is in. */
function explain(issue: z.core.$ZodIssue): readonly Explained[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)))
  if (issue.code !== 'unrecognized_keys') return [{ path, say: issue.message }]
  return issue.keys.map((key) => ({ path: [...path, key], say: 'there is no such member' }))
}
