-- A copy that is over, because it made room for others, is no copy that a tenant has: it is unknown until it is swept. Whoever adopted one was told that it was adopted, and
-- the trail said so, though nobody knew the client afterwards. The rest is as in 0161.
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
    WHERE c.tenant_id = adopting AND c.client_id = wanted AND member.kind = 'front_member' AND c.unregistered_at IS NULL);
END
$$;
