// Tells dependency-cruiser to read our packages from source, so that an edge between two packages is an edge between two files.
const { join } = require('node:path')
const root = join(__dirname, '..')
const homes = {
  packages: ['core', 'crypto', 'runtime', 'store', 'upstream', 'xml-signature', 'guard', 'testkit', 'conformance'],
  apps: ['broker', 'worker', 'simulator', 'cli'],
}
const alias = {
  '@drawbridge/example-mcp-server': join(root, 'examples/mcp-server/src'),
  '@drawbridge/example-agent': join(root, 'examples/agent/src'),
}
for (const [folder, names] of Object.entries(homes))
  for (const name of names) alias[`@drawbridge/${name}`] = join(root, folder, name, 'src')
module.exports = { resolve: { alias, extensionAlias: { '.js': ['.ts', '.js'] }, extensions: ['.ts', '.js', '.mjs', '.json'] } }
