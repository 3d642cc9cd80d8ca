-- Which guard instances had to hear of an event, and what became of it: the evidence of the tenant whose event it is, kept beyond the notice.
-- A shared resource belongs to the vendor, and so do its streams; that is why the tenant's own record is a table of its own.
CREATE TABLE "notice_receipts" (
  "tenant_id" UUID NOT NULL,
  "event_id" UUID NOT NULL,
  "stream_id" UUID NOT NULL,
  "resource" TEXT NOT NULL,
  "instance" TEXT NOT NULL,
  "due_at" TIMESTAMPTZ(3) NOT NULL,
  "notified_at" TIMESTAMPTZ(3),
  "acknowledged_at" TIMESTAMPTZ(3),
  "refused_at" TIMESTAMPTZ(3),
  "refusal" TEXT,
  "lapsed_at" TIMESTAMPTZ(3),
  CONSTRAINT "notice_receipts_pkey" PRIMARY KEY ("tenant_id", "event_id", "stream_id")
);
ALTER TABLE "notice_receipts" ADD CONSTRAINT "notice_receipts_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "notice_receipts" ADD CONSTRAINT "notice_receipts_event_id_fkey" FOREIGN KEY ("tenant_id", "event_id") REFERENCES "deprovisioning_events" ("tenant_id", "id");
-- Of a stream: what it has not answered yet.
CREATE INDEX "notice_receipts_pending" ON "notice_receipts" ("stream_id") WHERE "acknowledged_at" IS NULL AND "lapsed_at" IS NULL;

ALTER TABLE "notice_receipts" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "notice_receipts" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "notice_receipts" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "notice_receipts" TO drawbridge_across USING (true);
CREATE POLICY owner ON "notice_receipts" TO CURRENT_USER USING (true);
GRANT SELECT ON "notice_receipts" TO drawbridge_tenant;
GRANT SELECT, INSERT, UPDATE ON "notice_receipts" TO drawbridge_across;

-- When the last instance that had to hear had acknowledged, or had been silent for so long that it refuses by itself.
ALTER TABLE "deprovisioning_events" ADD COLUMN "dead_at" TIMESTAMPTZ(3);
CREATE INDEX "deprovisioning_events_alive" ON "deprovisioning_events" ("swept_at") WHERE "dead_at" IS NULL AND "swept_at" IS NOT NULL;
-- What an older version swept left no receipts, so nothing can be said of it.
UPDATE "deprovisioning_events" SET "dead_at" = "swept_at" WHERE "swept_at" IS NOT NULL;
