-- What a tenant lets a client of the front issuer have in its own name (docs/adr/0091). NULL: it is known at another issuer, where its ceiling says it. At the front
-- a ceiling only takes away, so a copy begins with nothing, and keeps what its tenant gives. A version that knows nothing of it serves no client alone there.
ALTER TABLE "clients" ADD COLUMN "machine_access" JSONB;

CREATE OR REPLACE FUNCTION kept_by_front_clients() RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT ARRAY['tenant_id', 'issuer_id', 'client_id', 'kind', 'pre_approved', 'approved_digests', 'approval_lost', 'scope_ceiling', 'access_token_ttl_seconds',
    'own_scope_ceiling', 'own_access_token_ttl_seconds', 'machine_access', 'registration_token_hash', 'epoch', 'barrier_at', 'blocked_at', 'document_expires_at', 'last_used_at', 'asked_at',
    'secret_used_at', 'second_secret_used_at', 'version', 'created_at']
$$;

CREATE OR REPLACE FUNCTION adopt_front_client(adopting uuid, wanted text, at timestamptz) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF adopting IS DISTINCT FROM NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid THEN
    RAISE EXCEPTION 'a tenant adopts for itself alone' USING ERRCODE = 'insufficient_privilege';
  END IF;
  -- Held, so that whoever changes or ends the registration meanwhile finds this copy.
  PERFORM 1 FROM clients AS c JOIN issuers AS front ON front.tenant_id = c.tenant_id AND front.id = c.issuer_id
    WHERE front.kind = 'front' AND c.client_id = wanted FOR SHARE OF c;
  INSERT INTO clients SELECT made.*
    FROM clients AS c JOIN issuers AS front ON front.tenant_id = c.tenant_id AND front.id = c.issuer_id AND front.kind = 'front'
      JOIN issuers AS member ON member.tenant_id = adopting AND member.kind = 'front_member'
      CROSS JOIN LATERAL jsonb_populate_record(NULL::clients, to_jsonb(c)
        - ARRAY['registration_token_hash', 'approved_digests', 'approval_lost', 'own_scope_ceiling', 'own_access_token_ttl_seconds', 'machine_access', 'last_used_at',
          'asked_at', 'secret_used_at', 'second_secret_used_at']
        || jsonb_build_object('tenant_id', member.tenant_id, 'issuer_id', member.id, 'pre_approved', false, 'epoch', 1, 'barrier_at', NULL,
          'version', nextval('clients_version_seq'), 'created_at', at)) AS made
    WHERE c.client_id = wanted AND c.kind IN ('dynamic', 'preregistered') AND c.blocked_at IS NULL AND c.unregistered_at IS NULL
    ON CONFLICT DO NOTHING;
  RETURN EXISTS (SELECT 1 FROM clients AS c JOIN issuers AS member ON member.tenant_id = c.tenant_id AND member.id = c.issuer_id
    WHERE c.tenant_id = adopting AND c.client_id = wanted AND member.kind = 'front_member');
END
$$;

CREATE OR REPLACE FUNCTION bind_front_client() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  of_vendor record;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM issuers WHERE tenant_id = NEW.tenant_id AND id = NEW.issuer_id AND kind = 'front_member') THEN
    RETURN NEW;
  END IF;
  NEW.machine_access := coalesce(NEW.machine_access, '[]');
  IF TG_OP = 'UPDATE' THEN
    IF NEW.scope_ceiling IS DISTINCT FROM OLD.scope_ceiling AND NEW.own_scope_ceiling IS NOT DISTINCT FROM OLD.own_scope_ceiling THEN
      NEW.own_scope_ceiling := NEW.scope_ceiling;
    END IF;
    IF NEW.access_token_ttl_seconds IS DISTINCT FROM OLD.access_token_ttl_seconds
      AND NEW.own_access_token_ttl_seconds IS NOT DISTINCT FROM OLD.own_access_token_ttl_seconds THEN
      NEW.own_access_token_ttl_seconds := NEW.access_token_ttl_seconds;
    END IF;
  END IF;
  SELECT c.scope_ceiling, c.access_token_ttl_seconds INTO of_vendor FROM clients AS c JOIN issuers AS front ON front.tenant_id = c.tenant_id AND front.id = c.issuer_id
    WHERE front.kind = 'front' AND c.client_id = NEW.client_id;
  NEW.scope_ceiling := common_scope_ceiling(of_vendor.scope_ceiling, NEW.own_scope_ceiling);
  NEW.access_token_ttl_seconds := least(of_vendor.access_token_ttl_seconds, NEW.own_access_token_ttl_seconds);
  RETURN NEW;
END
$$;

UPDATE clients AS c SET machine_access = '[]' FROM issuers AS i WHERE i.tenant_id = c.tenant_id AND i.id = c.issuer_id AND i.kind = 'front_member';

-- Whether the client is still what it was proven and decided on as, once whoever is changing what it may have is done; nobody begins that before this transaction
-- ends. So what is given meanwhile by a decision of before is there for whoever takes it back to end.
CREATE FUNCTION hold_machine_access(tenant uuid, issuer uuid, client text, decided_under bigint) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended('machine access:' || tenant::text, 0));
  RETURN EXISTS (SELECT 1 FROM clients WHERE tenant_id = tenant AND issuer_id = issuer AND client_id = client AND version = decided_under);
END
$$;
REVOKE EXECUTE ON FUNCTION hold_machine_access(uuid, uuid, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hold_machine_access(uuid, uuid, text, bigint) TO drawbridge_hot;
