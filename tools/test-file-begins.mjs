/** Runs before each test file, in the process that runs it: which RSA pairs the file before it had is forgotten (test-keys.mjs). */
globalThis[Symbol.for('drawbridge.test-keys.next-file')]?.()
