-- In which ways clients may become known to a tenant. Null: in every way. A version that knows nothing of the column goes on as if in every way.
ALTER TABLE "tenants" ADD COLUMN "client_registration" JSONB;
CREATE TRIGGER client_registration_changed BEFORE UPDATE OF client_registration ON "tenants" FOR EACH ROW EXECUTE FUNCTION raise_own_configuration_version();
