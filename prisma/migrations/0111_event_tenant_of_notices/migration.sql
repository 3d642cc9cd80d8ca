-- The front signs what happens in the tenants that are members there, and each owns its event and the receipts of it. What an older version writes names
-- nobody, and is of the tenant that signed it.
ALTER TABLE "notices" ADD COLUMN "event_tenant_id" UUID;
