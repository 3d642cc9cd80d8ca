-- ID-JAGs that a tenant issues for authorization servers of others (docs/adr/0077): which client may have one for whom. Nobody may until somebody has
-- chosen. They are signed by keys of their own purpose, which an issuer gets when the first is allowed.
ALTER TABLE "tenants" ADD COLUMN "id_jag_issuing" JSONB;
CREATE TRIGGER id_jag_issuing_changed BEFORE UPDATE OF id_jag_issuing ON "tenants" FOR EACH ROW EXECUTE FUNCTION raise_own_configuration_version();
ALTER TABLE signing_keys DROP CONSTRAINT signing_keys_purpose_check;
ALTER TABLE signing_keys ADD CONSTRAINT signing_keys_purpose_check CHECK (purpose IN ('tokens', 'notices', 'saml', 'id_jag'));
