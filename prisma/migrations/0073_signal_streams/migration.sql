-- The stream of security events that a connection hears: how it is delivered, with which credential we speak to the transmitter, and how well it is.
-- One for each connection, made by an admin, or by the first event that is pushed without one; its id is the connection's. What of it is believed
-- (issuer, audience, keys) stands in the configuration of the connection and not here.
CREATE TABLE "signal_streams" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "delivery" TEXT NOT NULL,
  "stream_id" TEXT,
  "poll_url" TEXT,
  "sealed_credential" BYTEA,
  "status" TEXT NOT NULL DEFAULT 'unknown',
  "status_reason" TEXT,
  "status_at" TIMESTAMPTZ(3),
  "verification_state" TEXT,
  "verification_asked_at" TIMESTAMPTZ(3),
  "verified_at" TIMESTAMPTZ(3),
  "last_event_at" TIMESTAMPTZ(3),
  "last_event_issued_at" TIMESTAMPTZ(3),
  "answered_at" TIMESTAMPTZ(3),
  "failures" INTEGER NOT NULL DEFAULT 0,
  "failing_since" TIMESTAMPTZ(3),
  "last_error" TEXT,
  "last_error_at" TIMESTAMPTZ(3),
  "alarmed_at" TIMESTAMPTZ(3),
  "silent_since" TIMESTAMPTZ(3),
  "next_poll_at" TIMESTAMPTZ(3),
  "lease" UUID,
  "lease_until" TIMESTAMPTZ(3),
  "next_check_at" TIMESTAMPTZ(3),
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "signal_streams_pkey" PRIMARY KEY ("tenant_id", "id"),
  CONSTRAINT "signal_streams_delivery" CHECK ("delivery" IN ('push', 'poll')),
  CONSTRAINT "signal_streams_status" CHECK ("status" IN ('unknown', 'enabled', 'paused', 'disabled')),
  -- What is polled has an address and a credential.
  CONSTRAINT "signal_streams_polled" CHECK ("next_poll_at" IS NULL OR ("poll_url" IS NOT NULL AND "sealed_credential" IS NOT NULL))
);
ALTER TABLE "signal_streams" ADD CONSTRAINT "signal_streams_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "signal_streams" ADD CONSTRAINT "signal_streams_id_fkey" FOREIGN KEY ("tenant_id", "id")
  REFERENCES "connections" ("tenant_id", "id") ON DELETE CASCADE;
CREATE INDEX "signal_streams_next_poll_at_idx" ON "signal_streams" ("next_poll_at");
CREATE INDEX "signal_streams_next_check_at_idx" ON "signal_streams" ("next_check_at");
ALTER TABLE "signal_streams" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "signal_streams" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "signal_streams" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "signal_streams" TO drawbridge_across USING (true);
CREATE POLICY owner ON "signal_streams" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON "signal_streams" TO drawbridge_tenant;
GRANT SELECT, UPDATE ON "signal_streams" TO drawbridge_across;
