-- Event streams of receivers that speak the standard (SSF 1.0) and know nothing of our guard. What they carry is in "notices", read from "position" on:
-- there is no second queue. The streams of guards stay as they are, in "notice_streams".
CREATE TABLE "event_streams" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "resource_id" UUID NOT NULL,
  "issuer_tenant_id" UUID NOT NULL,
  "issuer_id" UUID NOT NULL,
  "credential_id" UUID NOT NULL,
  "description" TEXT,
  "method" TEXT NOT NULL,
  "endpoint_url" TEXT,
  "sealed_authorization" BYTEA,
  "events_requested" TEXT[],
  "status" TEXT NOT NULL,
  "status_reason" TEXT,
  "status_by" TEXT NOT NULL,
  "status_at" TIMESTAMPTZ(3) NOT NULL,
  "position" BIGINT NOT NULL,
  "delivered_to" BIGINT NOT NULL,
  "answered" BIGINT[] DEFAULT ARRAY[]::BIGINT[],
  "own_events" JSONB NOT NULL DEFAULT '[]',
  "verified_at" TIMESTAMPTZ(3),
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  "heard_at" TIMESTAMPTZ(3) NOT NULL,
  "failures" INTEGER NOT NULL DEFAULT 0,
  "disbelieved" INTEGER NOT NULL DEFAULT 0,
  "refusals" INTEGER NOT NULL DEFAULT 0,
  "trouble" TEXT,
  "try_at" TIMESTAMPTZ(3),
  "lease_id" UUID,
  "lease_until" TIMESTAMPTZ(3),
  CONSTRAINT "event_streams_pkey" PRIMARY KEY ("tenant_id", "id"),
  CONSTRAINT "event_streams_method_check" CHECK ("method" = 'poll' AND "endpoint_url" IS NULL AND "sealed_authorization" IS NULL OR "method" = 'push' AND "endpoint_url" IS NOT NULL),
  CONSTRAINT "event_streams_status_check" CHECK ("status" IN ('enabled', 'paused', 'disabled')),
  CONSTRAINT "event_streams_status_by_check" CHECK ("status_by" IN ('receiver', 'operator', 'transmitter'))
);
CREATE INDEX "event_streams_tenant_id_resource_id_idx" ON "event_streams" ("tenant_id", "resource_id");
ALTER TABLE "event_streams" ADD CONSTRAINT "event_streams_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "event_streams" ADD CONSTRAINT "event_streams_resource_id_fkey" FOREIGN KEY ("tenant_id", "resource_id") REFERENCES "resources" ("tenant_id", "id");
ALTER TABLE "event_streams" ADD CONSTRAINT "event_streams_issuer_id_fkey" FOREIGN KEY ("issuer_tenant_id", "issuer_id") REFERENCES "issuers" ("tenant_id", "id");
ALTER TABLE "event_streams" ADD CONSTRAINT "event_streams_credential_id_fkey" FOREIGN KEY ("tenant_id", "credential_id") REFERENCES "resource_credentials" ("tenant_id", "id");

ALTER TABLE "event_streams" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "event_streams" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "event_streams" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "event_streams" TO drawbridge_across USING (true);
CREATE POLICY owner ON "event_streams" TO CURRENT_USER USING (true);
GRANT SELECT, UPDATE, DELETE ON "event_streams" TO drawbridge_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON "event_streams" TO drawbridge_across;

-- By which a stream knows whether it wants a notice. Null: written by the version before; every stream wants it.
ALTER TABLE "notices" ADD COLUMN "event_type" TEXT;
-- A resource of the vendor has a stream for each tenant, and each looks only at what its own issuer says.
CREATE INDEX "notices_of_issuer" ON "notices" ("tenant_id", "resource_id", "issuer_tenant_id", "issuer_id", "position");
-- A receiver that has paused its stream: it is not told, and does not refuse by itself.
ALTER TABLE "notice_receipts" ADD COLUMN "paused_at" TIMESTAMPTZ(3);
-- An admin of the resource who pauses or deletes a stream says so in the receipts of the tenant whose news it carried.
GRANT UPDATE ON "notice_receipts" TO drawbridge_tenant;
