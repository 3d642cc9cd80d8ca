-- What all processes together have spent of a rate limit: a leaky bucket each. Not logged: what is lost by a crash only forgives.
CREATE UNLOGGED TABLE "shared_limits" (
  "key_hash" BYTEA NOT NULL,
  "level" DOUBLE PRECISION NOT NULL,
  "per_second" DOUBLE PRECISION NOT NULL,
  "at" TIMESTAMPTZ(3) NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "shared_limits_pkey" PRIMARY KEY ("key_hash")
);
CREATE INDEX "shared_limits_expires_at_idx" ON "shared_limits" ("expires_at");
GRANT SELECT, INSERT, UPDATE, DELETE ON "shared_limits" TO drawbridge_across;
