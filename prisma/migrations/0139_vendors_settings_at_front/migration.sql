-- What the vendor demands at the front of tokens that are bound to a key, and of authorization requests, counts at every member, as the ways of registration do
-- (migration 0138): a change of it is a change of each member's configuration.
DROP TRIGGER front_ways_changed ON "tenants";
CREATE TRIGGER front_settings_changed AFTER UPDATE OF client_registration, dpop, require_pushed_requests ON "tenants" FOR EACH ROW
  WHEN (NEW.id = '00000000-0000-0000-0000-000000000000' AND (NEW.client_registration, NEW.dpop, NEW.require_pushed_requests)
    IS DISTINCT FROM (OLD.client_registration, OLD.dpop, OLD.require_pushed_requests))
  EXECUTE FUNCTION raise_members_configuration_version();
