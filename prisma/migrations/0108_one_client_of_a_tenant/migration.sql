-- A client that several issuers of a tenant know is one client to whoever kills it (store/deprovisioning). So it is when an issuer meets it only afterwards:
-- what was killed at the tenant's own issuer does not come back by the front, nor the other way, and its epoch is none that guards were told is dead.
CREATE FUNCTION be_one_client_of_tenant() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  killed record;
BEGIN
  -- Whoever is killing it at this moment is waited for, and then seen.
  PERFORM 1 FROM clients AS c WHERE c.tenant_id = NEW.tenant_id AND c.client_id = NEW.client_id FOR SHARE;
  SELECT max(c.epoch) AS epoch, min(c.blocked_at) FILTER (WHERE c.barrier_at IS NOT NULL) AS blocked_at INTO killed
    FROM clients AS c WHERE c.tenant_id = NEW.tenant_id AND c.client_id = NEW.client_id;
  NEW.epoch := greatest(NEW.epoch, killed.epoch);
  NEW.blocked_at := coalesce(NEW.blocked_at, killed.blocked_at);
  RETURN NEW;
END
$$;
CREATE TRIGGER one_client_of_tenant BEFORE INSERT ON "clients" FOR EACH ROW EXECUTE FUNCTION be_one_client_of_tenant();
