-- Whose software statements a tenant believes (RFC 7591 §2.3, docs/adr/0079), and the one that a client registered by. A version that knows nothing of
-- it ignores statements, and demands none.
ALTER TABLE "tenants" ADD COLUMN "software_statements" JSONB;
CREATE TRIGGER software_statements_changed BEFORE UPDATE OF software_statements ON "tenants" FOR EACH ROW EXECUTE FUNCTION raise_own_configuration_version();
ALTER TABLE "clients" ADD COLUMN "software_statement" JSONB;
