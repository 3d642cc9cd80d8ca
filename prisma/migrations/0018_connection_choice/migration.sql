-- Which connection a person is sent to: rules on the address she gives, and where an address goes that nothing else decides. Null: none.
ALTER TABLE "tenants" ADD COLUMN "connection_choice" JSONB;
DROP TRIGGER own_configuration_changed ON "tenants";
CREATE TRIGGER own_configuration_changed BEFORE UPDATE OF name, policy_version, suspended_at, connection_choice ON "tenants"
  FOR EACH ROW EXECUTE FUNCTION raise_own_configuration_version();
