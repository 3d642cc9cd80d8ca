-- Who opens a grant holds the line that lets its issuer mint, until the grant is there. Whoever takes that line away therefore waits
-- for the grants that are being opened, and then finds every one of them; one that comes later is refused, whatever its snapshot saw.
CREATE FUNCTION hold_minter() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  PERFORM 1 FROM resource_issuers AS minter
    WHERE minter.tenant_id = NEW.resource_tenant_id AND minter.resource_id = NEW.resource_id
      AND minter.issuer_tenant_id = NEW.tenant_id AND minter.issuer_id = NEW.issuer_id FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this issuer may not mint for that resource' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER minter_held BEFORE INSERT ON grants FOR EACH ROW EXECUTE FUNCTION hold_minter();

-- What a withdrawal must find.
CREATE INDEX "grants_tenant_id_resource_id_idx" ON "grants" ("tenant_id", "resource_id");

-- A client's row is written again whenever its document is fetched again. Only what is different is a change of configuration, or every
-- such refresh would make every process load its tenant anew.
DROP TRIGGER configuration_changed ON clients;
CREATE TRIGGER configuration_changed AFTER UPDATE ON clients FOR EACH ROW
  WHEN ((OLD.name, OLD.redirect_uris, OLD.grant_types, OLD.token_endpoint_auth_method, OLD.secret_hash, OLD.jwks, OLD.application_type, OLD.pre_approved,
      OLD.scope_ceiling, OLD.access_token_ttl_seconds, OLD.blocked_at)
    IS DISTINCT FROM (NEW.name, NEW.redirect_uris, NEW.grant_types, NEW.token_endpoint_auth_method, NEW.secret_hash, NEW.jwks, NEW.application_type,
      NEW.pre_approved, NEW.scope_ceiling, NEW.access_token_ttl_seconds, NEW.blocked_at))
  EXECUTE FUNCTION raise_configuration_version();
CREATE TRIGGER configuration_lost AFTER DELETE ON clients FOR EACH ROW EXECUTE FUNCTION raise_configuration_version();
