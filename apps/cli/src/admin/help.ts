/** What the commands of the admin API say of themselves, on a terminal and on the page of reference. */
import { type AdminCommand, argumentWords, type Flag } from './command.js'
import { commonFlags } from './read-words.js'

export const exitCodes = {
  done: { code: 0, says: 'done, or nothing was to do' },
  refused: { code: 1, says: 'refused: by the broker, by a rule, or for a mistake in a file; nothing was written' },
  usage: { code: 2, says: 'the command was not understood, or would have had to ask and nobody was there' },
  unreachable: { code: 3, says: 'the broker does not answer' },
  halfway: { code: 4, says: 'an apply was stopped half-way; what is done is told, and the next apply completes it' },
  declined: { code: 5, says: 'somebody was asked and said no' },
} as const

export const usageOf = ({ name, takes, flags = {} }: AdminCommand): string => {
  const required = Object.entries(flags).flatMap(([flag, { required: must, kind }]) => (must ? [`--${flag}${valueOf(kind)}`] : []))
  const optional = Object.keys(flags).length > required.length ? ['[flags]'] : []
  return ['drawbridge', name, ...takes.map((word) => `<${word}>`), ...required, ...optional].join(' ')
}

const values = {
  switch: '',
  number: ' <n>',
  file: ' <file>',
  files: ' <file>',
  document: ' <file>',
  'from-env': ' <NAME>',
  'from-file': ' <file>',
  'if-match': ' <etag>',
  list: ' <text>',
  text: ' <text>',
}
const valueOf = (kind: Flag['kind']): string => values[kind]

const flagLine = ([name, flag]: readonly [string, Flag]): readonly [string, string] => [
  `${flag.short === undefined ? '' : `-${flag.short}, `}--${name}${valueOf(flag.kind)}`,
  [flag.says, ...(flag.choices ? [`: ${flag.choices.join(', ')}`] : []), ...(flag.required ? [' (needed)'] : [])].join(''),
]

export function helpOf(command: AdminCommand): string {
  const takes = command.takes.map((word) => [`<${word}>`, argumentWords[word]] as const)
  const flags = [...Object.entries<Flag>(command.flags ?? {}), ...Object.entries<Flag>(commonFlags)].map(flagLine)
  const width = Math.max(...[...takes, ...flags].map(([left]) => left.length))
  const lines = (rows: readonly (readonly [string, string])[]) => rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
  return [`${command.does}.`, '', `  ${usageOf(command)}`, '', ...lines([...takes, ...flags]), '', 'Example:', `  ${command.example}`].join(
    '\n',
  )
}

/** All commands of some words in common, or all of them. */
export function helpOfMany(commands: readonly AdminCommand[]): string {
  const width = Math.max(...commands.map(({ name, takes }) => [name, ...takes.map((word) => `<${word}>`)].join(' ').length))
  return commands
    .map(({ name, takes, does }) => `  drawbridge ${[name, ...takes.map((word) => `<${word}>`)].join(' ').padEnd(width)}  ${does}`)
    .join('\n')
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')

/** `docs/reference/cli.md`, without its heading. */
export function referenceOf(commands: readonly AdminCommand[]): string {
  const codes = Object.values(exitCodes).map(({ code, says }) => `| ${code} | ${says} |`)
  const parts = commands.map((command) => {
    const flags = Object.entries<Flag>(command.flags ?? {}).map(flagLine)
    const table =
      flags.length === 0
        ? []
        : ['', '| flag | what |', '| --- | --- |', ...flags.map(([left, right]) => `| \`${left}\` | ${cell(right)} |`)]
    const asks = command.confirms === undefined ? [] : [' Asks before; `--yes` answers.']
    return [
      `## ${command.name}`,
      '',
      `${cell(command.does)}.${asks.join('')}`,
      '',
      '```',
      usageOf(command),
      command.example,
      '```',
      ...table,
    ].join('\n')
  })
  const common = Object.entries<Flag>(commonFlags)
    .map(flagLine)
    .map(([left, right]) => `| \`${left}\` | ${cell(right)} |`)
  return [
    ['| exit code | means |', '| --- | --- |', ...codes].join('\n'),
    ['Of every command:', '', '| flag | what |', '| --- | --- |', ...common].join('\n'),
    ...parts,
  ].join('\n\n')
}
