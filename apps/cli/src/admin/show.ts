/** Answers of the admin API for people: tables, records, refusals. Whatever a terminal would obey is shown, not sent. */
import type { Refused } from './admin-client.js'
import type { Shows } from './command.js'

/** Names come from tenants and IdPs: an escape sequence in one must not move the cursor of an admin, nor must what turns text around. */
export const plainText = (text: string): string => text.replaceAll(/\p{Cc}|[\u202A-\u202E\u2066-\u2069]/gu, '\uFFFD')
/** The same for texts of several lines. */
export const plainLines = (text: string): string =>
  text
    .split(/\r?\n/)
    .map((line) => line.split('\t').map(plainText).join('\t'))
    .join('\n')

/** JSON escapes what is below space; this also what terminals take for control beyond. */
export const jsonText = (value: unknown): string =>
  JSON.stringify(value, undefined, 2).replaceAll(
    /[\u007F-\u009F\u202A-\u202E\u2066-\u2069]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** A document that goes into a file or a pipe goes there as it is. */
export function showAnswer(answer: unknown, shows: Shows | undefined, isTerminal = true): string {
  if (answer === undefined || (shows !== undefined && 'nothing' in shows)) return ''
  if (shows === undefined || 'record' in shows) return showRecord(answer)
  if ('text' in shows) {
    const text = textOf(memberOf(answer, shows.text) ?? '').replace(/\n$/, '')
    return isTerminal ? plainLines(text) : text
  }
  const rows = (memberOf(answer, shows.rows) as readonly unknown[] | undefined) ?? []
  return rows.length === 0 ? 'none' : showTable(shows.columns, rows)
}

function showTable(columns: readonly (readonly [string, string])[], rows: readonly unknown[]): string {
  const cells = [columns.map(([heading]) => heading), ...rows.map((row) => columns.map(([, member]) => inCell(memberOf(row, member))))]
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => (row[index] ?? '').length)))
  return cells
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
const inCell = (value: unknown): string => {
  if (value === null || value === undefined) return '–'
  if (Array.isArray(value)) return value.map(inCell).join(' ')
  return plainText(textOf(value))
}

const memberOf = (value: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((inner, name) => (inner as Readonly<Record<string, unknown>> | null | undefined)?.[name], value)

/** A line for each value, what is inside indented below. */
export function showRecord(value: unknown, indent = ''): string {
  if (value === null || typeof value !== 'object') return `${indent}${inCell(value)}`
  const entries = Object.entries(value).filter(([, inner]) => inner !== null)
  const width = Math.max(0, ...entries.map(([name]) => name.length))
  return entries.map(([name, inner]) => showMember(Array.isArray(value) ? '-' : plainText(name).padEnd(width), inner, indent)).join('\n')
}

function showMember(name: string, value: unknown, indent: string): string {
  if (typeof value === 'string' && value.includes('\n'))
    return `${indent}${name.trimEnd()}\n${indentBy(plainLines(value.trimEnd()), `${indent}  `)}`
  const isFlat =
    value === null ||
    typeof value !== 'object' ||
    (Array.isArray(value) && value.every((each) => typeof each !== 'object' && !String(each).includes('\n')))
  if (isFlat) return `${indent}${name}  ${inCell(value)}`.trimEnd()
  return `${indent}${name.trimEnd()}\n${showRecord(value, `${indent}  `)}`
}
const indentBy = (text: string, indent: string): string =>
  text
    .split('\n')
    .map((line) => `${indent}${line}`)
    .join('\n')

/** What helps, where the refusal itself does not say it. */
const remedies: Readonly<Record<string, string>> = {
  key_missing: 'set DRAWBRIDGE_ADMIN_KEY, or DRAWBRIDGE_ADMIN_KEY_FILE',
  key_unknown:
    'check DRAWBRIDGE_ADMIN_KEY and DRAWBRIDGE_ADMIN_URL; a new key of the vendor: drawbridge admin-key create, beside the database',
  permission_missing: 'use a key that holds it: drawbridge admin-key issue',
  vendor_only: 'use a key of the vendor',
  other_tenant: 'check the slug: drawbridge tenant list, with a key of the vendor',
  tenant_unknown: 'check the slug: drawbridge tenant list',
  rate_limited: 'wait a minute and try again',
  database_gone: 'try again in a moment',
  tenant_busy: 'try again in a moment',
}

export function showRefused({ status, reason, title, detail, errors }: Refused): string {
  const heading = `${title}${status === 0 ? '' : ` (${status}${reason === '' ? '' : `, ${reason}`})`}: ${detail}`
  const mistakes = errors.map(({ path, message }) => indentBy(plainLines(path === '' ? message : `${path}: ${message}`), '  '))
  const remedy = remedies[reason]
  return [plainText(heading), ...mistakes, ...(remedy === undefined ? [] : [`  What helps: ${remedy}.`])].join('\n')
}
