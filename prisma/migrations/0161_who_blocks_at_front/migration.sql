-- Of a client of the front both the vendor and a tenant may shut the copy at that tenant, and until now both did it by one mark, so that each lifted the other's.
-- As it is with ceilings (0111), a copy keeps what each of them said beside what counts. The columns alone, because to add one keeps everybody out until the
-- commit; with them the lists of what a copy does not take from the registration, or the first change of one would. They count from 0162 on.
ALTER TABLE "clients" ADD COLUMN "own_blocked_at" TIMESTAMPTZ(3), ADD COLUMN "blocked_at_front" TIMESTAMPTZ(3);

CREATE OR REPLACE FUNCTION kept_by_front_clients() RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT ARRAY['tenant_id', 'issuer_id', 'client_id', 'kind', 'pre_approved', 'approved_at_front', 'approved_digests', 'approval_lost', 'scope_ceiling',
    'access_token_ttl_seconds', 'own_scope_ceiling', 'own_access_token_ttl_seconds', 'machine_access', 'registration_token_hash', 'epoch', 'barrier_at', 'blocked_at',
    'own_blocked_at', 'blocked_at_front', 'document_expires_at', 'last_used_at', 'asked_at', 'secret_used_at', 'second_secret_used_at', 'version', 'created_at']
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
        - ARRAY['registration_token_hash', 'approved_digests', 'approval_lost', 'own_scope_ceiling', 'own_access_token_ttl_seconds', 'machine_access',
          'own_blocked_at', 'blocked_at_front', 'last_used_at', 'asked_at', 'secret_used_at', 'second_secret_used_at']
        || jsonb_build_object('tenant_id', member.tenant_id, 'issuer_id', member.id, 'pre_approved', false, 'epoch', 1, 'barrier_at', NULL,
          'version', nextval('clients_version_seq'), 'created_at', at)) AS made
    WHERE c.client_id = wanted AND c.kind IN ('dynamic', 'preregistered') AND c.blocked_at IS NULL AND c.unregistered_at IS NULL
    ON CONFLICT DO NOTHING;
  RETURN EXISTS (SELECT 1 FROM clients AS c JOIN issuers AS member ON member.tenant_id = c.tenant_id AND member.id = c.issuer_id
    WHERE c.tenant_id = adopting AND c.client_id = wanted AND member.kind = 'front_member');
END
$$;
