-- Which scopes of the vendor's shared resources a tenant gives to whoever names none. Null: as the vendor has it, for a version that knows nothing of the column, too.
ALTER TABLE "tenants" ADD COLUMN "default_scopes" JSONB;
CREATE TRIGGER default_scopes_changed BEFORE UPDATE OF default_scopes ON "tenants" FOR EACH ROW EXECUTE FUNCTION raise_own_configuration_version();
