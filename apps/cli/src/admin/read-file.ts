/**
 * Texts from files, never more of one than a limit: what somebody typed, and what a file that somebody else wrote names.
 *
 * Whoever types may type a pipe (`<(sops -d …)`), which is waited for. What a file names is a regular file or a mistake: no device that never
 * ends, no pipe that never begins, and nothing that the kernel makes up (`/proc/self/environ` holds the admin key of whoever applies the file).
 */
import { closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import { err, ok, type Result } from '@drawbridge/core/result'

/** Nothing that the admin API takes is larger. */
export const mostFileBytes = 1_048_576
const standardInput = 0

export function readTyped(file: string): Result<string, string> {
  return reading(file, () => {
    if (file === '-') return readAtMost({ file, descriptor: standardInput, most: mostFileBytes })
    return opened(file, constants.O_RDONLY, (descriptor) => readAtMost({ file, descriptor, most: mostFileBytes }))
  })
}

export function readNamed(file: string, most = mostFileBytes): Result<string, string> {
  return reading(file, () => {
    const is = statSync(file)
    if (!is.isFile()) return err(`${file} is no regular file`)
    if (is.size > most) return err(tooLarge(file, most))
    // What the kernel makes up says that it is empty, and is taken at its word; it is not even opened.
    if (is.size === 0) return ok('')
    // Where another thing has taken its place since, nobody waits for it.
    return opened(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0), (descriptor) => readAtMost({ file, descriptor, most }))
  })
}

/** Its first line, because editors end files with a newline that is part of no secret. */
export function firstLine(file: string, read: Result<string, string>): Result<string, string> {
  if (!read.ok) return read
  const line = read.value.split(/\r?\n/)[0] ?? ''
  return line === '' ? err(`${file} is empty`) : ok(line)
}

function reading(file: string, read: () => Result<string, string>): Result<string, string> {
  try {
    return read()
  } catch (cause) {
    const { code } = cause as { readonly code?: string }
    return err(code === 'ENOENT' ? `there is no file ${file}` : `${file} cannot be read (${code ?? 'not UTF-8'})`)
  }
}

function opened<T>(file: string, flags: number, use: (descriptor: number) => T): T {
  const descriptor = openSync(file, flags)
  try {
    return use(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

type Bounded = { readonly file: string; readonly descriptor: number; readonly most: number }

/** One byte more than the limit is asked for, and no second one: the size that a file states is not believed. */
function readAtMost({ file, descriptor, most }: Bounded): Result<string, string> {
  const bytes = Buffer.alloc(most + 1)
  let length = 0
  while (length < bytes.length) {
    const count = readSync(descriptor, bytes, length, bytes.length - length, null)
    if (count === 0) break
    length += count
  }
  return length > most ? err(tooLarge(file, most)) : ok(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length)))
}

const tooLarge = (file: string, most: number): string => `${file} is larger than ${most} bytes`
