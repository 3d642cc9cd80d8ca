/** Files of tenants, and the files and variables that they name. */
import { readdirSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { err, ok, type Result } from '@drawbridge/core/result'
import { commandLineSettings, settingEntries } from '@drawbridge/runtime/env'
import type { Environment } from '../admin/read-body.js'
import { firstLine, readNamed, readTyped } from '../admin/read-file.js'
import { mistakesInCases, mistakesInPolicy } from './check-tenant.js'
import type { PolicyTexts } from './plan.js'
import { type FileMistake, type FileText, mistakeAt, type PlacedTenant } from './read-tenant-files.js'
import { type SecretReference, tenantFileLimits } from './shape.js'

const nowhere = (file: string, say: string): FileMistake => ({ file, line: 1, column: 1, path: '', say })

/** A folder stands for its .yaml and .yml files, by name; folders inside are not looked into. */
export function loadTexts(paths: readonly string[]): Result<readonly FileText[], readonly FileMistake[]> {
  const found = paths.map((path) => ({ path, inside: filesIn(path) }))
  const files = found.flatMap(({ path, inside }) => inside ?? [path])
  if (files.length > tenantFileLimits.files) return err([nowhere(files[0] ?? '', `more than ${tenantFileLimits.files} files`)])
  const typed = new Set(found.flatMap(({ path, inside }) => (inside === undefined ? [path] : [])))
  const read = [...new Set(files)].map((file) => ({ file, text: typed.has(file) ? readTyped(file) : readNamed(file) }))
  const mistakes = read.flatMap(({ file, text }) => (text.ok ? [] : [nowhere(file, text.error)]))
  const empty = found.filter(({ inside }) => inside?.length === 0).map(({ path }) => nowhere(path, 'a folder without .yaml files'))
  if (mistakes.length + empty.length > 0) return err([...mistakes, ...empty])
  return ok(read.flatMap(({ file, text }) => (text.ok ? [{ file, text: text.value }] : [])))
}

/** Undefined: it is no folder. */
function filesIn(path: string): readonly string[] | undefined {
  if (path === '-' || statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined
  return readdirSync(path)
    .filter((name) => /\.ya?ml$/.test(name))
    .toSorted()
    .map((name) => join(path, name))
}

/** Paths in a file are seen from that file. */
const besideFile = (file: string, path: string): string => resolve(file === '-' ? '.' : dirname(file), path)

/** The texts of the policy and of its cases, wherever they are; undefined: the file does not manage it. */
export function loadPolicy(tenant: PlacedTenant): Result<PolicyTexts, readonly FileMistake[]> {
  const policy = loadText(tenant, 'policy', { most: tenantFileLimits.policyBytes, mistakesIn: mistakesInPolicy })
  const cases = loadText(tenant, 'policyCases', { most: tenantFileLimits.casesBytes, mistakesIn: mistakesInCases })
  if (policy.ok && cases.ok) return ok({ policy: policy.value, cases: cases.value })
  return err([...(policy.ok ? [] : policy.error), ...(cases.ok ? [] : cases.error)])
}

type Reading = { readonly most: number; readonly mistakesIn: (text: string) => readonly { readonly say: string }[] }

function loadText(
  tenant: PlacedTenant,
  member: 'policy' | 'policyCases',
  { most, mistakesIn }: Reading,
): Result<string | undefined, readonly FileMistake[]> {
  const said = tenant.value[member]
  if (said === undefined || typeof said === 'string') return ok(said)
  const text = readNamed(besideFile(tenant.file, said.fromFile), most)
  if (!text.ok) return err([mistakeAt(tenant, [member, 'fromFile'], text.error)])
  const mistakes = mistakesIn(text.value)
  return mistakes.length === 0 ? text : err(mistakes.map(({ say }) => mistakeAt(tenant, [member, 'fromFile'], say)))
}

/** A broker sends it to the issuer that the same file names, so whoever wrote the file is given nothing of whoever applies it. */
export function loadSecret(file: string, reference: SecretReference, environment: Environment): Result<string, string> {
  const read = 'fromFile' in reference ? readSecretFile(besideFile(file, reference.fromFile)) : readVariable(reference.fromEnv, environment)
  if (read.ok && adminKeyShape.test(read.value)) return err('that is an admin key of Drawbridge, and no secret of an IdP')
  if (read.ok && /\p{Cc}/u.test(read.value)) return err('it holds control characters, and no secret of an IdP does')
  return read
}

const readSecretFile = (file: string): Result<string, string> => firstLine(file, readNamed(file, tenantFileLimits.secretBytes))

/** Wherever it stands: the one line of another file may hold more than the key. */
const adminKeyShape = /dba_[A-Za-z0-9_-]{43}|^\s*dba_/
const ownVariables: ReadonlySet<string> = new Set(Object.values({ ...settingEntries, ...commandLineSettings }).map(({ name }) => name))

function readVariable(name: string, environment: Environment): Result<string, string> {
  if (ownVariables.has(name)) return err(`${name} is a setting of Drawbridge, and no secret of an IdP`)
  const value = environment[name]
  return value ? ok(value) : err(`the variable ${name} is not set`)
}
