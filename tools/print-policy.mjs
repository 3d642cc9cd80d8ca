// The reference of policies, from the schema, the catalogues and the example folders: what print-docs writes of them.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** `page`: how every generated page begins and prints a table. */
export async function printPolicyPages(root, { generated, table }) {
  const load = (file) => import(pathToFileURL(join(root, 'packages/core/dist/policy', file)).href)
  const { printedPolicySchema, printedCasesSchema } = await load('printed-schema.js')
  const shape = tablesOf(printedPolicySchema(), table)
  return {
    'docs/reference/policy.schema.json': asJson(printedPolicySchema()),
    'docs/reference/policy-cases.schema.json': asJson(printedCasesSchema()),
    'docs/reference/policy.md': [
      '# Policy',
      generated,
      'Every member of a policy document. [How to write one](../how-to/write-a-policy.md) tells what it is for, [examples](policy-examples.md) show it, and `policy.schema.json`, beside this page, tells it to editors. Seconds are whole numbers from 1 to 31 536 000.',
      shape,
      '## Test cases',
      'The document beside a policy, whose cases must hold before it is published. `policy-cases.schema.json` tells it to editors.',
      tablesOf(printedCasesSchema(), table, 'the document'),
      await conditions(load, table),
      await limitsAndRefusals(load, table),
    ]
      .join('\n\n')
      .concat('\n'),
    'docs/reference/policy-examples.md': printExamples(join(root, 'examples/policies'), generated),
  }
}

const asJson = (value) => `${JSON.stringify(value, undefined, 2)}\n`

/** One table for the document, one for each object within it, in the order of the document. */
function tablesOf(schema, table, title = 'The document') {
  const parts = []
  const print = (name, { description, properties, required = [] }) => {
    const rows = Object.entries(properties).map(([member, found]) => [
      `\`${member}\``,
      kindOf(found),
      required.includes(member) ? 'required' : 'default' in found ? `\`${JSON.stringify(found.default)}\`` : '',
      [found.description, ...boundsOf(found)].filter(Boolean).join('; '),
    ])
    parts.push(`### ${name}`, ...(description ? [`${description}.`] : []), table(['member', 'type', 'absent', 'what'], rows))
    for (const [member, found] of Object.entries(properties))
      for (const inner of objectsIn(found)) print(`${name === title ? '' : `${name}, `}\`${member}\``, inner)
  }
  print(title, schema)
  return parts.join('\n\n')
}

/** The objects with members that a schema leads to: itself, its items, its values, its alternatives. */
function objectsIn(schema) {
  if (schema.properties) return [schema]
  const next = [schema.items, schema.additionalProperties, ...(schema.anyOf ?? [])].filter((each) => typeof each === 'object')
  return next.flatMap(objectsIn)
}

function kindOf(schema) {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ')
  if (schema.anyOf) return [...new Set(schema.anyOf.map(kindOf))].join(' or ')
  if (schema.type === 'array') return `list of: ${kindOf(schema.items)}`
  if (schema.properties) return 'object'
  if (schema.type === 'object') {
    const { propertyNames, additionalProperties } = schema
    return `map from ${propertyNames?.enum ? kindOf(propertyNames) : 'name'} to: ${kindOf(additionalProperties)}`
  }
  return schema.type === 'integer' ? 'whole number' : schema.type
}

const endlessNumber = 31_536_000

function boundsOf({ minLength, maxLength, minItems, maxItems, minimum, maximum, pattern, items, format }) {
  const between = (least, most, what) =>
    least === undefined && most === undefined
      ? []
      : [[least && `at least ${least}`, most && `at most ${most}`].filter(Boolean).join(', ').concat(` ${what}`)]
  return [
    ...between(minLength, maxLength, 'characters'),
    ...between(minItems, maxItems, 'items'),
    ...(maximum !== undefined && maximum !== endlessNumber && maximum < Number.MAX_SAFE_INTEGER ? [`${minimum ?? 0} to ${maximum}`] : []),
    ...(pattern && !format ? [`matches \`${pattern}\``] : []),
    ...(items?.type === 'string' && items.maxLength ? [`each of at most ${items.maxLength} characters`] : []),
  ]
}

async function conditions(load, table) {
  const { conditionVariables, standardClaims } = await load('cel-variables.js')
  const { conditionFunctions } = await load('cel-cost.js')
  const variables = Object.entries(conditionVariables).flatMap(([name, type]) =>
    typeof type === 'string'
      ? [[`\`${name}\``, `\`${type}\``]]
      : Object.entries(type).map(([field, of]) => [`\`${name}.${field}\``, `\`${of}\``]),
  )
  const claims = Object.entries(standardClaims).map(([name, type]) => [`\`claims.${name}\``, type])
  return [
    '## Conditions',
    'In CEL. What is absent or unknown is an error to read, and an error counts as the strict outcome; `has(claims.department)` asks whether it is there.',
    table(['variable', 'type'], variables),
    'No client that signs in today has its installation attested: `client.attested` is false of every one, and what wants it true is not given yet.',
    'Claims that every policy may read; others are declared in `claims`.',
    table(['claim', 'type'], claims),
    `Functions: ${conditionFunctions.map((name) => `\`${name}\``).join(', ')}. The pattern of \`matches\` is a literal in the syntax of RE2. Operators: \`&&\`, \`||\`, \`!\`, \`?:\`, \`==\`, \`!=\`, \`<\`, \`<=\`, \`>\`, \`>=\`, \`in\`, \`+\`, \`-\`, \`*\`, \`/\`, \`%\`, \`[]\`.`,
  ].join('\n\n')
}

async function limitsAndRefusals(load, table) {
  const { policyErrors, policyLimits, policyLimitTexts } = await load('error.js')
  const { policyWarnings } = await load('lint.js')
  const rowsOf = (entries, cell) => Object.entries(entries).map(([name, entry]) => [`\`${name}\``, ...cell(entry, name)])
  return [
    '## Limits',
    table(
      ['limit', 'at most', 'what'],
      rowsOf(policyLimits, (most, name) => [most, policyLimitTexts[name]]),
    ),
    '## What is refused',
    table(
      ['reason', 'says'],
      rowsOf(policyErrors, ({ say }) => [say]),
    ),
    '## What is warned of',
    'None of it keeps a policy from being saved.',
    table(
      ['warning', 'says'],
      rowsOf(policyWarnings, (say) => [say]),
    ),
  ].join('\n\n')
}

function printExamples(folder, generated) {
  const parts = [
    '# Policies, by example',
    generated,
    'Each is a folder of `examples/policies`, and each of its cases is a test. A case says who asks and what must come of it; what it does not say is the ordinary: a password a moment ago, a client with a metadata document, no groups and no claims.',
  ]
  for (const name of readdirSync(folder).toSorted()) {
    const files = ['wall.yaml', 'policy.yaml', 'cases.yaml'].filter((file) => existsSync(join(folder, name, file)))
    parts.push(`## ${name}`, ...files.flatMap((file) => [titles[file], fenced(readFileSync(join(folder, name, file), 'utf8'))]))
  }
  return `${parts.join('\n\n')}\n`
}

const titles = { 'wall.yaml': 'The vendor’s policy:', 'policy.yaml': 'The policy:', 'cases.yaml': 'Its cases:' }
const fenced = (text) => `\`\`\`yaml\n${text.trimEnd()}\n\`\`\``
