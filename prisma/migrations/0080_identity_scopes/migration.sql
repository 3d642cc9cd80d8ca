-- What was granted of OpenID Connect. A version that knows nothing of the column grants nothing of it.
ALTER TABLE "grants" ADD COLUMN "identity_scopes" TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[];
