-- When a client last asked in vain, because the tenant gives nothing to one that no admin has approved. A version that knows nothing of it writes nothing.
ALTER TABLE "clients" ADD COLUMN "asked_at" TIMESTAMPTZ(3);

-- Nor is it a change that a client asked.
CREATE OR REPLACE FUNCTION raise_client_version() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  before clients := OLD;
BEGIN
  before.last_used_at := NEW.last_used_at;
  before.asked_at := NEW.asked_at;
  before.secret_used_at := NEW.secret_used_at;
  before.second_secret_used_at := NEW.second_secret_used_at;
  IF (OLD.last_used_at, OLD.asked_at, OLD.secret_used_at, OLD.second_secret_used_at)
      IS NOT DISTINCT FROM (NEW.last_used_at, NEW.asked_at, NEW.secret_used_at, NEW.second_secret_used_at)
    OR before IS DISTINCT FROM NEW THEN
    NEW.version := nextval('clients_version_seq');
  END IF;
  RETURN NEW;
END
$$;

-- Each tenant has its own demand, and its own queue.
CREATE OR REPLACE FUNCTION kept_by_front_clients() RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT ARRAY['tenant_id', 'issuer_id', 'client_id', 'kind', 'pre_approved', 'approved_digests', 'approval_lost', 'scope_ceiling', 'access_token_ttl_seconds',
    'own_scope_ceiling', 'own_access_token_ttl_seconds', 'registration_token_hash', 'epoch', 'barrier_at', 'blocked_at', 'document_expires_at', 'last_used_at', 'asked_at',
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
        - ARRAY['registration_token_hash', 'approved_digests', 'approval_lost', 'own_scope_ceiling', 'own_access_token_ttl_seconds', 'last_used_at', 'asked_at',
          'secret_used_at', 'second_secret_used_at']
        || jsonb_build_object('tenant_id', member.tenant_id, 'issuer_id', member.id, 'pre_approved', false, 'epoch', 1, 'barrier_at', NULL,
          'version', nextval('clients_version_seq'), 'created_at', at)) AS made
    WHERE c.client_id = wanted AND c.kind IN ('dynamic', 'preregistered') AND c.blocked_at IS NULL AND c.unregistered_at IS NULL
    ON CONFLICT DO NOTHING;
  RETURN EXISTS (SELECT 1 FROM clients AS c JOIN issuers AS member ON member.tenant_id = c.tenant_id AND member.id = c.issuer_id
    WHERE c.tenant_id = adopting AND c.client_id = wanted AND member.kind = 'front_member');
END
$$;

-- A registration at the front that waits at any tenant is not forgotten.
CREATE FUNCTION note_front_client_asked() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE clients SET asked_at = greatest(asked_at, NEW.asked_at) WHERE ctid = (SELECT front_client_unless_held(NEW));
  RETURN NULL;
END
$$;
CREATE TRIGGER front_client_asked AFTER UPDATE OF asked_at ON "clients" FOR EACH ROW
  WHEN (NEW.kind = 'dynamic' AND NEW.tenant_id <> '00000000-0000-0000-0000-000000000000') EXECUTE FUNCTION note_front_client_asked();
