/** xmlsec1 (C, libxml2, OpenSSL): nothing in it is shared with anything here. It is a process, so it is asked about many files at once. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where a message is signed, and by which key: its public key as PEM. */
export type SignatureToAsk = { readonly place: 'response' | 'assertion'; readonly key: string }
export type MessageToAsk = { readonly message: string; readonly signatures: readonly SignatureToAsk[] }

const places = {
  response: "/*/*[local-name()='Signature']",
  assertion: "/*/*[local-name()='Assertion']/*[local-name()='Signature']",
} as const
const idAttributes = ['assertion:Assertion', 'protocol:Response'].flatMap((name) => ['--id-attr:ID', `urn:oasis:names:tc:SAML:2.0:${name}`])

export const hasXmlsec1 = (): boolean => spawnSync('xmlsec1', ['--version']).status === 0

/** For each message: does every signature in it verify? */
export function askXmlsec1(messages: readonly MessageToAsk[]): readonly boolean[] {
  const folder = mkdtempSync(join(tmpdir(), 'differential-'))
  try {
    const fileOf = (index: number): string => join(folder, `${index}.xml`)
    messages.forEach(({ message }, index) => writeFileSync(fileOf(index), message))
    const refused = new Set<number>()
    for (const [key, asked] of groups(messages)) {
      const [place, pem] = JSON.parse(key) as [keyof typeof places, string]
      const keyFile = join(folder, 'key.pem')
      writeFileSync(keyFile, pem)
      const verified = countingVerified(asked.map(fileOf), keyFile, places[place])
      asked.forEach((index, at) => (verified[at] ? undefined : refused.add(index)))
    }
    return messages.map((_, index) => !refused.has(index))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The messages by what they have in common: one call takes one key and one place. */
function groups(messages: readonly MessageToAsk[]): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>()
  for (const [index, { signatures }] of messages.entries())
    for (const { place, key } of signatures) {
      const group = JSON.stringify([place, key])
      found.set(group, [...(found.get(group) ?? []), index])
    }
  return found
}

/** It ends at the first file that fails, so it is called again with the files behind that one. */
function countingVerified(files: readonly string[], keyFile: string, place: string): readonly boolean[] {
  const verified: boolean[] = []
  while (verified.length < files.length) {
    const rest = files.slice(verified.length)
    const { stderr, status } = spawnSync(
      'xmlsec1',
      ['--verify', '--node-xpath', place, ...idAttributes, '--pubkey-pem', keyFile, ...rest],
      {
        encoding: 'utf8',
        maxBuffer: 64 * 1024 * 1024,
      },
    )
    const good = status === 0 ? rest.length : (stderr.match(/^OK$/gm) ?? []).length
    verified.push(...rest.slice(0, good).map(() => true))
    if (status !== 0) verified.push(false)
  }
  return verified
}
