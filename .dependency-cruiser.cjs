// The direction of imports (ARCHITECTURE.md) as rules: each says why it exists and where the code should go instead.
const only = (name, library, homes, comment) => ({
  name: `one-library-one-home: ${name}`,
  severity: 'error',
  comment,
  from: { path: '^(apps|packages|examples|bench)/', pathNot: `^(${homes.join('|')})|[.]test[.]ts$|/test/` },
  to: { path: `node_modules/(${library})/` },
})

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'core-is-pure',
      severity: 'error',
      comment:
        'core holds data and rules. I/O, clocks and randomness come in as arguments; the code that does them belongs in runtime, crypto or store.',
      from: { path: '^packages/core/src/', pathNot: '[.]test[.]ts$|/fixtures/' },
      to: { path: '^(apps|packages/(?!core/))|node_modules/(?!(zod|yaml|@marcbachmann/cel-js|re2js|tldts|diff|[.]pnpm)/)' },
    },
    {
      name: 'core-touches-no-system',
      severity: 'error',
      comment: 'core may hash and compare (node:crypto) and tell how to print a Secret (node:util); every other built-in is I/O.',
      from: { path: '^packages/core/src/', pathNot: '[.]test[.]ts$' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(crypto|util)$' },
    },
    {
      name: 'layers-point-inward',
      severity: 'error',
      comment: 'core <- crypto, runtime <- store, upstream <- apps. What an inner package needs from an outer one is passed in by the app.',
      from: { path: '^packages/(crypto|runtime)/src/', pathNot: '[.]test[.]ts$' },
      to: { path: '^(apps|packages/(store|upstream|guard|testkit))/' },
    },
    {
      name: 'packages-do-not-know-apps',
      severity: 'error',
      comment: 'A package that needs an app is an app. testkit alone may start apps, for tests.',
      from: { path: '^packages/(?!testkit/)', pathNot: '[.]test[.]ts$' },
      to: { path: '^apps/' },
    },
    {
      name: 'guard-stands-alone',
      severity: 'error',
      comment: 'Strangers install the guard by itself: it imports nothing of ours.',
      from: { path: '^packages/guard/src/', pathNot: '[.]test[.]ts$' },
      to: { path: '^(apps|packages/(?!guard/))' },
    },
    {
      name: 'xml-signature-stands-alone',
      severity: 'error',
      comment:
        'What says which octets are signed is read by itself: node:crypto and nothing else, so that no import can hide a second reading of XML.',
      from: { path: '^packages/xml-signature/src/', pathNot: '[.]test[.]ts$|^packages/xml-signature/src/differential/' },
      to: { pathNot: '^packages/xml-signature/src/(?!differential/)|^(node:)?crypto$' },
    },
    {
      name: 'xml-signature-is-for-saml',
      severity: 'error',
      comment: 'Signed XML comes from an IdP, and upstream/saml alone reads what an IdP sends (bench measures it).',
      from: { path: '^(apps|packages|examples)/', pathNot: '^packages/(upstream/src/saml|xml-signature)/' },
      to: { path: '^packages/xml-signature/' },
    },
    {
      name: 'simulator-shares-nothing',
      severity: 'error',
      comment: 'The simulator is the other side: shared protocol code would share its bugs.',
      from: { path: '^apps/simulator/src/', pathNot: '[.]test[.]ts$' },
      to: { path: '^(packages|apps/(?!simulator/))' },
    },
    {
      name: 'apps-are-strangers',
      severity: 'error',
      comment: 'Apps meet in PostgreSQL. Only the CLI composes them.',
      from: { path: '^apps/(?!cli/)([^/]+)/', pathNot: '[.]test[.]ts$' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'broker-features-are-strangers',
      severity: 'error',
      comment: 'Inside the broker a feature imports http/, clients/, admission/ and its own folder; features meet in core and store.',
      from: { path: '^apps/broker/src/(authorize|token|metadata|logout|signals|scim|admin)/', pathNot: '[.]test[.]ts$' },
      to: { path: '^apps/broker/src/(authorize|token|metadata|logout|signals|scim|admin)/', pathNot: '^apps/broker/src/$1/' },
    },
    {
      name: 'testkit-stays-in-tests',
      severity: 'error',
      comment: 'testkit starts servers and fakes time; nothing that ships may depend on it.',
      from: { path: '^(apps|packages|examples)/', pathNot: '[.]test[.]ts$|^packages/testkit/|^apps/[^/]+/test/' },
      to: { path: '^packages/testkit/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'A cycle means that two files are one. Move the shared part inward.',
      from: {},
      to: { circular: true, viaOnly: { pathNot: 'node_modules' } },
    },
    only(
      'prisma and pg',
      '@prisma/client|@prisma/adapter-pg|pg',
      ['packages/store', 'packages/testkit', 'bench'],
      'All SQL is in packages/store.',
    ),
    only('bullmq', 'bullmq|ioredis', ['apps/worker'], 'The worker is the only user of the queue: the broker writes the outbox.'),
    only(
      'express',
      'express',
      ['apps/broker/src/http', 'packages/guard/src/express', 'apps/simulator', 'examples'],
      'Endpoints do not know the HTTP library.',
    ),
    only(
      'node-saml',
      '@node-saml/node-saml|xml-crypto|saxes|xml-encryption|@xmldom/xmldom',
      ['packages/upstream/src/saml', 'packages/xml-signature/src/differential', 'apps/simulator', 'bench'],
      'SAML is read in upstream/saml alone.',
    ),
    only('openid-client', 'openid-client', ['packages/upstream/src/oidc'], 'OpenID Connect towards the IdP is upstream/oidc.'),
    only(
      'jose',
      'jose',
      ['packages/crypto', 'packages/guard', 'apps/simulator', 'bench'],
      'Keys and tokens are handled in crypto (and, for strangers, in the guard).',
    ),
    only(
      'second factors',
      '@simplewebauthn/server|otpauth',
      ['packages/crypto'],
      'What proves a second factor is verified in crypto, with time and chance as arguments.',
    ),
    only(
      'passkeys in a browser',
      '@simplewebauthn/browser',
      ['apps/broker/src/authorize'],
      'Its text goes into one page of the browser flow; nothing here runs it.',
    ),
    only(
      'yaml',
      'yaml',
      ['packages/core/src/placed-yaml'],
      'What people write is read with its places, without aliases and within limits: readYaml. A second reader would forget one of them.',
    ),
    only('diff', 'diff', ['packages/core/src/line-diff'], 'What changed between two texts is found in bounded work: diffLines.'),
    only('public suffixes', 'tldts', ['packages/core/src/tenant'], 'What nobody may own is decided beside the names of domains.'),
    only(
      'logs, metrics and mail',
      'pino|prom-client|undici|nodemailer',
      ['packages/runtime'],
      'The shell around the process is packages/runtime.',
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|generated)/' },
    tsPreCompilationDeps: true,
    webpackConfig: { fileName: require('node:path').join(__dirname, 'tools/layers-resolve.cjs') },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'default'],
    },
    parser: 'swc',
  },
}
