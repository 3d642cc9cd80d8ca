-- How many people signals of one connection took access from within the last minutes: for an alarm, never for holding anything back. One row for each connection.
CREATE TABLE "signal_windows" (
  "tenant_id" UUID NOT NULL,
  "connection_id" UUID NOT NULL,
  "began_at" TIMESTAMPTZ(3) NOT NULL,
  "people" INTEGER NOT NULL,
  CONSTRAINT "signal_windows_pkey" PRIMARY KEY ("tenant_id", "connection_id")
);
ALTER TABLE "signal_windows" ADD CONSTRAINT "signal_windows_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "signal_windows" ADD CONSTRAINT "signal_windows_connection_id_fkey" FOREIGN KEY ("tenant_id", "connection_id")
  REFERENCES "connections" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "signal_windows" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "signal_windows" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "signal_windows" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "signal_windows" TO drawbridge_across USING (true);
CREATE POLICY owner ON "signal_windows" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE ON "signal_windows" TO drawbridge_tenant;
GRANT SELECT ON "signal_windows" TO drawbridge_across;
