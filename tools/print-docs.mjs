// Prints docs/reference and .env.example from the code. `--check` writes nothing and fails when a page is stale.
// Run after the build: it reads the compiled endpoint tables, catalogues and settings.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { catalogues } from './catalogues.mjs'
import { printPolicyPages } from './print-policy.mjs'
import { readModels, readSpecCoverage } from './print-reference.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const load = (path) => import(new URL(`../${path}`, import.meta.url).href)
const generated = '<!-- Printed from the code by tools/print-docs.mjs. Do not edit. -->'
const cell = (text) =>
  String(text ?? '')
    .replaceAll('|', '\\|')
    .replaceAll('\n', ' ')
const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n')

const { brokerEndpoints } = await load('apps/broker/dist/app.js')
const { printOpenApi } = await load('apps/broker/dist/admin/openapi.js')
const { settingEntries } = await load('packages/runtime/dist/env.js')
const { auditEvents } = await load('packages/core/dist/audit/audit-event.js')
const { metricList } = await load('packages/runtime/dist/metrics.js')
const { vendors } = await load('packages/upstream/dist/saml/metadata-vendors.js')
const { oidcVendors } = await load('packages/upstream/dist/oidc/vendors.js')
const { commandLineSettings } = await load('packages/runtime/dist/env.js')
const { adminCommands } = await load('apps/cli/dist/admin/commands.js')
const { referenceOf } = await load('apps/cli/dist/admin/help.js')
const { matrix } = await load('packages/conformance/dist/matrix.js')
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))

async function printErrors() {
  const parts = [
    '# Errors',
    generated,
    'Every refusal of the product. `code` and the text go on the wire; the reason goes to the log and the audit trail.',
  ]
  for (const [title, path, name] of catalogues) {
    const rows = Object.entries((await load(path))[name]).map(([reason, entry]) => [
      `\`${reason}\``,
      entry.code ? `\`${entry.code}\`` : entry.scimType ? `\`${entry.scimType}\`` : (entry.severity ?? ''),
      entry.status,
      entry.say ?? `${entry.cause} ${entry.remedy}`,
      entry.spec,
    ])
    parts.push(`## ${title}`, table(['reason', 'code', 'status', 'says', 'specified by'], rows))
  }
  return `${parts.join('\n\n')}\n`
}

/** What is proposed for each vendor's connections, as an admin sees it before she makes one. */
function printIdentityProviders() {
  const head = ['vendor', 'what never changes', 'preset', 'told of every connection']
  const tableOf = (rows) =>
    table(
      head,
      Object.entries(rows).map(([id, { name, stableId, preset, notices }]) => [
        `${name} (\`${id}\`)`,
        stableId,
        `\`${JSON.stringify(preset)}\``,
        notices.map((code) => `\`${code}\``).join(' '),
      ]),
    )
  return `# Identity providers\n\n${generated}\n\nWhat each code means is in [errors](errors.md).\n\n## SAML\n\nHow a vendor is recognised by its metadata is in \`packages/upstream/src/saml/metadata-vendors.ts\`; what to click is in [connect a SAML IdP](../how-to/connect-a-saml-idp.md).\n\n${tableOf(vendors)}\n\n## OpenID Connect\n\nHow a vendor is recognised by its issuer is in \`packages/upstream/src/oidc/vendors.ts\`; what to click is in [connect an OpenID provider](../how-to/connect-an-oidc-idp.md).\n\n${tableOf(oidcVendors)}\n`
}

function printEndpoints() {
  const rows = [...brokerEndpoints]
    .sort((a, b) => a.path.localeCompare(b.path) || a.method.localeCompare(b.method))
    .map((found) => [found.method, `\`${found.path}\``, found.summary, found.permission ?? '', found.spec, found.hot ? 'hot' : ''])
  return `# Endpoints\n\n${generated}\n\n${table(['method', 'path', 'what', 'permission', 'specified by', 'lane'], rows)}\n`
}

function printEnvironment() {
  const tableOf = (entries) =>
    table(
      ['name', 'what', 'default', 'example'],
      Object.values(entries).map((entry) => [
        `\`${entry.name}\``,
        entry.description,
        entry.default ? `\`${entry.default}\`` : 'not set',
        `\`${entry.example}\``,
      ]),
    )
  return `# Environment\n\n${generated}\n\nAll mistakes are reported at once, at start. An empty variable counts as not set.\n\n${tableOf(settingEntries)}\n\n## Of the commands that speak to the admin API\n\nNo broker reads these, and [these commands](cli.md) read no others.\n\n${tableOf(commandLineSettings)}\n`
}

const printCommands = () =>
  `# Command line\n\n${generated}\n\nCommands that speak to the admin API: clients like any other, with \`DRAWBRIDGE_ADMIN_URL\` and \`DRAWBRIDGE_ADMIN_KEY\` ([environment](environment.md)). What runs a broker itself is told by \`drawbridge\` alone.\n\n${referenceOf(adminCommands)}\n`

function printEnvExample() {
  const parts = Object.values(settingEntries).map(
    (entry) => `# ${entry.description}\n# Example: ${entry.example}\n#${entry.name}=${entry.default ?? ''}\n`,
  )
  return `# Printed from packages/runtime/src/env.ts and its areas by tools/print-docs.mjs. Copy to .env and uncomment what differs.\n\n${parts.join('\n')}`
}

const printMetrics = () =>
  `# Metrics\n\n${generated}\n\nAt \`/metrics\`, beside the figures of the process itself.\n\n${table(
    ['name', 'kind', 'labels', 'what'],
    Object.entries(metricList).map(([name, entry]) => [`\`${name}\``, entry.kind, entry.labels.join(', '), entry.help]),
  )}\n`

const printAuditEvents = () =>
  `# Audit events\n\n${generated}\n\nEvery kind of line in the audit trail. The trail is append-only, but for lines that are older than [an admin has it kept](../how-to/keep-the-audit-trail.md), if one chose so; \`GET /admin/v1/tenants/{slug}/audit-events\` reads it.\n\n${table(
    ['kind', 'what happened'],
    Object.entries(auditEvents)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([kind, says]) => [`\`${kind}\``, says]),
  )}\n`

function printDatabase() {
  const parts = [
    '# Database',
    generated,
    'PostgreSQL, from `prisma/schema`. The keys of every table of a tenant begin with `tenant_id`, and row-level security is forced.',
  ]
  for (const model of readModels(join(root, 'prisma', 'schema'))) {
    const rows = model.columns.map((column) => [`\`${column.name}\``, column.type, column.isOptional ? 'yes' : '', column.says])
    const rules = model.rules.map((rule) => `- \`${rule}\``).join('\n')
    parts.push(`## ${model.table}`, ...[model.says, table(['column', 'type', 'may be absent', 'what'], rows), rules].filter(Boolean))
  }
  return `${parts.join('\n\n')}\n`
}

function printSpecCoverage() {
  const rows = readSpecCoverage(root).map(({ section, path, tests }) => [
    section,
    `\`${path}\``,
    [...tests.exact, ...(tests.folder.length > 0 ? ['in its folder:', ...tests.folder] : [])].map(nameOf).join(' ') || 'none beside it',
  ])
  const asked = Object.entries(matrix).map(([title, requirements]) => {
    const lines = requirements.map(({ section, level, says }) => [section, level, says])
    return `### ${title}\n\n${table(['section', 'level', 'the server …'], lines)}`
  })
  return `# Coverage of specifications

${generated}

## Asked of a running broker

Each row is a test that speaks HTTP alone (\`packages/conformance/src\`); \`apps/cli/test/conformance.test.ts\` asks all of them of the whole product, and \`packages/conformance/src/matrix.test.ts\` makes sure that a server which agrees to everything passes none. The matrix is young: what is not in it may well be tested elsewhere, below or in \`apps/cli/test\`.

${asked.join('\n\n')}

## Cited in the code

Which file answers which section, by its \`@spec\` tag or its endpoint, and the test beside it. A test beside a file does not prove that it tests the section.

${table(['section', 'file', 'test'], rows)}
`
}

const nameOf = (test) => (test.includes('/') ? `\`${test.slice(test.lastIndexOf('/') + 1)}\`` : test)

const pages = {
  'docs/reference/audit-events.md': printAuditEvents(),
  'docs/reference/cli.md': printCommands(),
  'docs/reference/database.md': printDatabase(),
  'docs/reference/openapi.json': `${JSON.stringify(printOpenApi(brokerEndpoints, version ?? '0.1.0'), undefined, 2)}\n`,
  'docs/reference/endpoints.md': printEndpoints(),
  'docs/reference/environment.md': printEnvironment(),
  'docs/reference/errors.md': await printErrors(),
  'docs/reference/identity-providers.md': printIdentityProviders(),
  'docs/reference/metrics.md': printMetrics(),
  ...(await printPolicyPages(root, { generated, table })),
  'docs/reference/spec-coverage.md': printSpecCoverage(),
  '.env.example': printEnvExample(),
}

const isCheck = process.argv.includes('--check')
const stale = []
for (const [path, text] of Object.entries(pages)) {
  const present = await readFile(join(root, path), 'utf8').catch(() => undefined)
  if (present === text) continue
  stale.push(path)
  if (isCheck) continue
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), text)
}
if (isCheck && stale.length > 0) {
  process.stderr.write(`stale: ${stale.join(', ')}\nRun: node tools/print-docs.mjs\n`)
  process.exit(1)
}
process.stdout.write(stale.length === 0 ? 'docs are fresh\n' : `printed ${stale.join(', ')}\n`)
