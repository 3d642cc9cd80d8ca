-- A device that asks at the front issuer waits in a row of the vendor's, until a person says whose she is (docs/adr/0091). Then it is that tenant's, once: its row there
-- is another one, and this one says only where the device is to be asked for from now on. A version that knows nothing of it finds a device that was declined.
ALTER TABLE "device_codes" ADD COLUMN "became_tenant" TEXT;
ALTER TABLE "device_codes" ADD CONSTRAINT "device_codes_became_check"
  CHECK ("became_tenant" IS NULL OR ("tenant_id" = '00000000-0000-0000-0000-000000000000' AND "decided_at" IS NOT NULL AND "code_hash" IS NULL));
GRANT INSERT, UPDATE ("became_tenant") ON "device_codes" TO drawbridge_tenant;
