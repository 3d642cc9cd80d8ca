-- Where a tenant, or the vendor for all of them, wants to hear by HTTP what happened to access.
CREATE TABLE "webhook_endpoints" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "name" TEXT NOT NULL,
  "url" TEXT NOT NULL,
  -- Which kinds of news.
  "events" TEXT[] NOT NULL,
  "sealed_secret" BYTEA NOT NULL,
  -- Signs, too, until then: for a change without a gap.
  "sealed_former_secret" BYTEA,
  "former_until" TIMESTAMPTZ(3),
  -- An admin's: news waits.
  "paused_at" TIMESTAMPTZ(3),
  -- Ours, after it had failed for long: there is no news until an admin says so.
  "disabled_at" TIMESTAMPTZ(3),
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "webhook_endpoints_pkey" PRIMARY KEY ("tenant_id", "id"),
  CONSTRAINT "webhook_endpoints_former_check" CHECK (("sealed_former_secret" IS NULL) = ("former_until" IS NULL))
);
CREATE INDEX "webhook_endpoints_former" ON "webhook_endpoints" ("former_until") WHERE "former_until" IS NOT NULL;
ALTER TABLE "webhook_endpoints" ADD CONSTRAINT "webhook_endpoints_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "webhook_endpoints" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "webhook_endpoints" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "webhook_endpoints" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "webhook_endpoints" TO drawbridge_across USING (true);
CREATE POLICY owner ON "webhook_endpoints" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON "webhook_endpoints" TO drawbridge_tenant;
GRANT SELECT, UPDATE ("sealed_former_secret", "former_until") ON "webhook_endpoints" TO drawbridge_across;

-- Of a webhook endpoint the destination has its id, and goes with it.
ALTER TABLE "delivery_destinations" ADD COLUMN "endpoint_id" UUID;
-- An admin's pause: nothing is tried, and no success ends it.
ALTER TABLE "delivery_destinations" ADD COLUMN "held_at" TIMESTAMPTZ(3);
CREATE UNIQUE INDEX "delivery_destinations_tenant_id_endpoint_id_key" ON "delivery_destinations" ("tenant_id", "endpoint_id");
ALTER TABLE "delivery_destinations" ADD CONSTRAINT "delivery_destinations_endpoint_id_fkey" FOREIGN KEY ("tenant_id", "endpoint_id")
  REFERENCES "webhook_endpoints" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "delivery_destinations" ADD CONSTRAINT "delivery_destinations_endpoint_check" CHECK ("kind" <> 'webhook' OR "endpoint_id" = "id");
-- Whoever makes an endpoint makes its destination, pauses it, and asks for a test.
GRANT INSERT, UPDATE ("held_at", "failures", "failing_since") ON "delivery_destinations" TO drawbridge_tenant;
GRANT INSERT ON "deliveries" TO drawbridge_tenant;
