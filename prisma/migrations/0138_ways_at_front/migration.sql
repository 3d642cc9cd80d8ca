-- At the front what the vendor has chosen counts beside what the tenant has: in which ways clients may become known, and whether each has to be approved. So a change
-- of it is a change of every member's configuration, which every statement that opens something compares.
CREATE FUNCTION raise_members_configuration_version() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  member uuid;
BEGIN
  FOR member IN SELECT tenant_id FROM issuers WHERE kind = 'front_member' ORDER BY tenant_id LOOP
    UPDATE tenants SET configuration_version = configuration_version + 1 WHERE id = member;
    PERFORM pg_notify('drawbridge_changes', member::text);
  END LOOP;
  RETURN NULL;
END
$$;
CREATE TRIGGER front_ways_changed AFTER UPDATE OF client_registration ON "tenants" FOR EACH ROW
  WHEN (NEW.id = '00000000-0000-0000-0000-000000000000' AND NEW.client_registration IS DISTINCT FROM OLD.client_registration)
  EXECUTE FUNCTION raise_members_configuration_version();

-- Whether the vendor has approved a client of the front, as its copy at a tenant is. What the tenant's admin says stands beside it, in pre_approved: neither is the other's.
ALTER TABLE "clients" ADD COLUMN "approved_at_front" BOOLEAN NOT NULL DEFAULT false;

CREATE OR REPLACE FUNCTION kept_by_front_clients() RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT ARRAY['tenant_id', 'issuer_id', 'client_id', 'kind', 'pre_approved', 'approved_at_front', 'approved_digests', 'approval_lost', 'scope_ceiling',
    'access_token_ttl_seconds', 'own_scope_ceiling', 'own_access_token_ttl_seconds', 'machine_access', 'registration_token_hash', 'epoch', 'barrier_at', 'blocked_at',
    'document_expires_at', 'last_used_at', 'asked_at', 'secret_used_at', 'second_secret_used_at', 'version', 'created_at']
$$;

-- An approval is of what was seen: where a tenant has read another document than the vendor, the vendor has not approved that one.
CREATE OR REPLACE FUNCTION bind_front_client() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  of_vendor record;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM issuers WHERE tenant_id = NEW.tenant_id AND id = NEW.issuer_id AND kind = 'front_member') THEN
    RETURN NEW;
  END IF;
  NEW.machine_access := coalesce(NEW.machine_access, '[]');
  IF TG_OP = 'INSERT' THEN
    -- Held, so that whoever changes it meanwhile finds this copy. A copy that is there already is held first by either.
    PERFORM 1 FROM clients AS c JOIN issuers AS front ON front.tenant_id = c.tenant_id AND front.id = c.issuer_id
      WHERE front.kind = 'front' AND c.client_id = NEW.client_id FOR SHARE OF c;
  ELSE
    IF NEW.scope_ceiling IS DISTINCT FROM OLD.scope_ceiling AND NEW.own_scope_ceiling IS NOT DISTINCT FROM OLD.own_scope_ceiling THEN
      NEW.own_scope_ceiling := NEW.scope_ceiling;
    END IF;
    IF NEW.access_token_ttl_seconds IS DISTINCT FROM OLD.access_token_ttl_seconds
      AND NEW.own_access_token_ttl_seconds IS NOT DISTINCT FROM OLD.own_access_token_ttl_seconds THEN
      NEW.own_access_token_ttl_seconds := NEW.access_token_ttl_seconds;
    END IF;
  END IF;
  SELECT c.scope_ceiling, c.access_token_ttl_seconds, c.pre_approved AND c.unregistered_at IS NULL AS approved, c.document_digests - 'document' AS judged INTO of_vendor
    FROM clients AS c JOIN issuers AS front ON front.tenant_id = c.tenant_id AND front.id = c.issuer_id WHERE front.kind = 'front' AND c.client_id = NEW.client_id;
  NEW.scope_ceiling := common_scope_ceiling(of_vendor.scope_ceiling, NEW.own_scope_ceiling);
  NEW.access_token_ttl_seconds := least(of_vendor.access_token_ttl_seconds, NEW.own_access_token_ttl_seconds);
  NEW.approved_at_front := coalesce(of_vendor.approved, false) AND of_vendor.judged IS NOT DISTINCT FROM NEW.document_digests - 'document';
  RETURN NEW;
END
$$;
DROP TRIGGER front_client_bound ON "clients";
CREATE TRIGGER front_client_bound
  BEFORE INSERT OR UPDATE OF scope_ceiling, access_token_ttl_seconds, own_scope_ceiling, own_access_token_ttl_seconds, document_digests, approved_at_front ON "clients"
  FOR EACH ROW WHEN (NEW.tenant_id <> '00000000-0000-0000-0000-000000000000') EXECUTE FUNCTION bind_front_client();

CREATE OR REPLACE FUNCTION bind_front_clients() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  changed clients := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
BEGIN
  IF EXISTS (SELECT 1 FROM issuers WHERE tenant_id = changed.tenant_id AND id = changed.issuer_id AND kind = 'front') THEN
    PERFORM 1 FROM clients AS c JOIN issuers AS i ON i.tenant_id = c.tenant_id AND i.id = c.issuer_id
      WHERE c.client_id = changed.client_id AND i.kind = 'front_member' ORDER BY c.tenant_id FOR UPDATE OF c;
    UPDATE clients AS c SET own_scope_ceiling = c.own_scope_ceiling FROM issuers AS i
      WHERE i.tenant_id = c.tenant_id AND i.id = c.issuer_id AND i.kind = 'front_member' AND c.client_id = changed.client_id;
  END IF;
  RETURN NULL;
END
$$;
DROP TRIGGER front_clients_bound ON "clients";
CREATE TRIGGER front_clients_bound AFTER UPDATE OF scope_ceiling, access_token_ttl_seconds, pre_approved, document_digests, unregistered_at ON "clients" FOR EACH ROW
  WHEN (NEW.tenant_id = '00000000-0000-0000-0000-000000000000'
    AND (NEW.scope_ceiling, NEW.access_token_ttl_seconds, NEW.pre_approved, NEW.document_digests, NEW.unregistered_at)
      IS DISTINCT FROM (OLD.scope_ceiling, OLD.access_token_ttl_seconds, OLD.pre_approved, OLD.document_digests, OLD.unregistered_at))
  EXECUTE FUNCTION bind_front_clients();
CREATE TRIGGER front_client_gone AFTER DELETE ON "clients" FOR EACH ROW
  WHEN (OLD.tenant_id = '00000000-0000-0000-0000-000000000000' AND OLD.pre_approved) EXECUTE FUNCTION bind_front_clients();
