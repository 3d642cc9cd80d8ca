-- Where the metadata of a SAML connection comes from, what a refresh found, and which ends of certificates were told.
CREATE TABLE "metadata_sources" (
  "tenant_id" UUID NOT NULL,
  "connection_id" UUID NOT NULL,
  "url" TEXT,
  "pinned_certificates" TEXT[],
  "etag" TEXT,
  "digest" TEXT,
  "outcome" TEXT NOT NULL DEFAULT 'never',
  "outcome_reason" TEXT,
  "fetched_at" TIMESTAMPTZ(3),
  "succeeded_at" TIMESTAMPTZ(3),
  "failures" INTEGER NOT NULL DEFAULT 0,
  "held_digest" TEXT,
  "held_change" JSONB,
  "withdrawn" JSONB NOT NULL DEFAULT '[]',
  "asked_at" TIMESTAMPTZ(3),
  "next_fetch_at" TIMESTAMPTZ(3),
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "metadata_sources_pkey" PRIMARY KEY ("tenant_id", "connection_id"),
  CONSTRAINT "metadata_sources_outcome_check" CHECK ("outcome" IN ('never', 'unchanged', 'changed', 'held', 'failed'))
);
CREATE INDEX "metadata_sources_next_fetch_at_idx" ON "metadata_sources" ("next_fetch_at");

CREATE TABLE "certificate_warnings" (
  "tenant_id" UUID NOT NULL,
  "connection_id" UUID NOT NULL,
  "fingerprint" TEXT NOT NULL,
  "days" INTEGER NOT NULL,
  "warned_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "certificate_warnings_pkey" PRIMARY KEY ("tenant_id", "connection_id", "fingerprint", "days")
);

ALTER TABLE "metadata_sources" ADD CONSTRAINT "metadata_sources_connection_id_fkey" FOREIGN KEY ("tenant_id", "connection_id") REFERENCES "connections" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "certificate_warnings" ADD CONSTRAINT "certificate_warnings_connection_id_fkey" FOREIGN KEY ("tenant_id", "connection_id") REFERENCES "connections" ("tenant_id", "id") ON DELETE CASCADE;

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['metadata_sources', 'certificate_warnings'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant_only ON %I TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting(''drawbridge.tenant_id'', true), '''')::uuid)', name);
    EXECUTE format('CREATE POLICY across ON %I TO drawbridge_across USING (true)', name);
    EXECUTE format('CREATE POLICY owner ON %I TO CURRENT_USER USING (true)', name);
  END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE, DELETE ON "metadata_sources" TO drawbridge_tenant;
GRANT SELECT, INSERT ON "certificate_warnings" TO drawbridge_tenant;
-- The worker claims what is due; what it finds it writes inside the tenant.
GRANT SELECT, UPDATE ("next_fetch_at") ON "metadata_sources" TO drawbridge_across;
GRANT SELECT ON "certificate_warnings" TO drawbridge_across;
