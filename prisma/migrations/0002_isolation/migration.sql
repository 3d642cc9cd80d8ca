-- Isolation of tenants in the schema: three narrow roles, row-level security, and references that cannot cross a tenant.

-- Roles belong to the cluster, not to the database: another database of the same server may have made them.
DO $$
DECLARE
  role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['drawbridge_tenant', 'drawbridge_hot', 'drawbridge_across'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOBYPASSRLS', role_name);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;
    END;
  END LOOP;
END
$$;

GRANT USAGE ON SCHEMA public TO drawbridge_tenant, drawbridge_hot, drawbridge_across;

-- References. Each begins with a tenant, so that one that crosses tenants cannot be stored.
ALTER TABLE issuers ADD CONSTRAINT issuers_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE signing_keys ADD CONSTRAINT signing_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE domains ADD CONSTRAINT domains_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE connections ADD CONSTRAINT connections_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE resources ADD CONSTRAINT resources_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE resource_issuers ADD CONSTRAINT resource_issuers_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE resource_scopes ADD CONSTRAINT resource_scopes_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE resource_credentials ADD CONSTRAINT resource_credentials_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE clients ADD CONSTRAINT clients_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE policies ADD CONSTRAINT policies_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE admin_keys ADD CONSTRAINT admin_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE scim_tokens ADD CONSTRAINT scim_tokens_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE authorization_requests ADD CONSTRAINT authorization_requests_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE login_requests ADD CONSTRAINT login_requests_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE parked_messages ADD CONSTRAINT parked_messages_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE replays ADD CONSTRAINT replays_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE browser_sessions ADD CONSTRAINT browser_sessions_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE grants ADD CONSTRAINT grants_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE authorization_codes ADD CONSTRAINT authorization_codes_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE refresh_tokens ADD CONSTRAINT refresh_tokens_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE subjects ADD CONSTRAINT subjects_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE scim_users ADD CONSTRAINT scim_users_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE audit_events ADD CONSTRAINT audit_events_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE deprovisioning_events ADD CONSTRAINT deprovisioning_events_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE outbox ADD CONSTRAINT outbox_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE revocations ADD CONSTRAINT revocations_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE notices ADD CONSTRAINT notices_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE notice_streams ADD CONSTRAINT notice_streams_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE notice_deliveries ADD CONSTRAINT notice_deliveries_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE signing_keys ADD CONSTRAINT signing_keys_issuer_id_fkey FOREIGN KEY (tenant_id, issuer_id) REFERENCES issuers (tenant_id, id);
ALTER TABLE clients ADD CONSTRAINT clients_issuer_id_fkey FOREIGN KEY (tenant_id, issuer_id) REFERENCES issuers (tenant_id, id);
ALTER TABLE browser_sessions ADD CONSTRAINT browser_sessions_issuer_id_fkey FOREIGN KEY (tenant_id, issuer_id) REFERENCES issuers (tenant_id, id);
ALTER TABLE revocations ADD CONSTRAINT revocations_issuer_id_fkey FOREIGN KEY (tenant_id, issuer_id) REFERENCES issuers (tenant_id, id);
ALTER TABLE domains ADD CONSTRAINT domains_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id);
ALTER TABLE scim_tokens ADD CONSTRAINT scim_tokens_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id);
ALTER TABLE authorization_requests ADD CONSTRAINT authorization_requests_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id);
ALTER TABLE login_requests ADD CONSTRAINT login_requests_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id);
ALTER TABLE parked_messages ADD CONSTRAINT parked_messages_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id);
ALTER TABLE browser_sessions ADD CONSTRAINT browser_sessions_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id);
ALTER TABLE grants ADD CONSTRAINT grants_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id);
ALTER TABLE subjects ADD CONSTRAINT subjects_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id);
ALTER TABLE scim_users ADD CONSTRAINT scim_users_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id);
ALTER TABLE resource_issuers ADD CONSTRAINT resource_issuers_resource_id_fkey FOREIGN KEY (tenant_id, resource_id) REFERENCES resources (tenant_id, id);
ALTER TABLE resource_scopes ADD CONSTRAINT resource_scopes_resource_id_fkey FOREIGN KEY (tenant_id, resource_id) REFERENCES resources (tenant_id, id);
ALTER TABLE resource_credentials ADD CONSTRAINT resource_credentials_resource_id_fkey FOREIGN KEY (tenant_id, resource_id) REFERENCES resources (tenant_id, id);
ALTER TABLE notices ADD CONSTRAINT notices_resource_id_fkey FOREIGN KEY (tenant_id, resource_id) REFERENCES resources (tenant_id, id);
ALTER TABLE notice_streams ADD CONSTRAINT notice_streams_resource_id_fkey FOREIGN KEY (tenant_id, resource_id) REFERENCES resources (tenant_id, id);
ALTER TABLE subjects ADD CONSTRAINT subjects_scim_user_id_fkey FOREIGN KEY (tenant_id, scim_user_id) REFERENCES scim_users (tenant_id, id);
ALTER TABLE authorization_requests ADD CONSTRAINT authorization_requests_subject_id_fkey FOREIGN KEY (tenant_id, subject_id) REFERENCES subjects (tenant_id, id);
ALTER TABLE browser_sessions ADD CONSTRAINT browser_sessions_subject_id_fkey FOREIGN KEY (tenant_id, subject_id) REFERENCES subjects (tenant_id, id);
ALTER TABLE grants ADD CONSTRAINT grants_subject_id_fkey FOREIGN KEY (tenant_id, subject_id) REFERENCES subjects (tenant_id, id);
ALTER TABLE login_requests ADD CONSTRAINT login_requests_authorization_request_id_fkey FOREIGN KEY (tenant_id, authorization_request_id) REFERENCES authorization_requests (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE authorization_requests ADD CONSTRAINT authorization_requests_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES browser_sessions (tenant_id, id) ON DELETE SET NULL (session_id);
ALTER TABLE grants ADD CONSTRAINT grants_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES browser_sessions (tenant_id, id) ON DELETE SET NULL (session_id);
ALTER TABLE authorization_codes ADD CONSTRAINT authorization_codes_grant_id_fkey FOREIGN KEY (tenant_id, grant_id) REFERENCES grants (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE refresh_tokens ADD CONSTRAINT refresh_tokens_grant_id_fkey FOREIGN KEY (tenant_id, grant_id) REFERENCES grants (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE revocations ADD CONSTRAINT revocations_event_id_fkey FOREIGN KEY (tenant_id, event_id) REFERENCES deprovisioning_events (tenant_id, id);
ALTER TABLE notice_deliveries ADD CONSTRAINT notice_deliveries_stream_id_fkey FOREIGN KEY (tenant_id, stream_id) REFERENCES notice_streams (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE authorization_requests ADD CONSTRAINT authorization_requests_client_id_fkey FOREIGN KEY (tenant_id, issuer_id, client_id) REFERENCES clients (tenant_id, issuer_id, client_id);
ALTER TABLE grants ADD CONSTRAINT grants_client_id_fkey FOREIGN KEY (tenant_id, issuer_id, client_id) REFERENCES clients (tenant_id, issuer_id, client_id);
ALTER TABLE authorization_codes ADD CONSTRAINT authorization_codes_client_id_fkey FOREIGN KEY (tenant_id, issuer_id, client_id) REFERENCES clients (tenant_id, issuer_id, client_id);
ALTER TABLE refresh_tokens ADD CONSTRAINT refresh_tokens_client_id_fkey FOREIGN KEY (tenant_id, issuer_id, client_id) REFERENCES clients (tenant_id, issuer_id, client_id);
ALTER TABLE notice_deliveries ADD CONSTRAINT notice_deliveries_position_fkey FOREIGN KEY (tenant_id, resource_id, position) REFERENCES notices (tenant_id, resource_id, position) ON DELETE CASCADE;
-- The two that may name another tenant do so in a column of their own: a shared resource of the vendor, and an issuer that may mint for it.
ALTER TABLE grants ADD CONSTRAINT grants_resource_id_fkey FOREIGN KEY (resource_tenant_id, resource_id) REFERENCES resources (tenant_id, id);
ALTER TABLE resource_issuers ADD CONSTRAINT resource_issuers_issuer_id_fkey FOREIGN KEY (issuer_tenant_id, issuer_id) REFERENCES issuers (tenant_id, id);
ALTER TABLE grants ADD CONSTRAINT grants_resource_tenant_check CHECK (resource_tenant_id = tenant_id OR resource_tenant_id = '00000000-0000-0000-0000-000000000000');
ALTER TABLE resource_issuers ADD CONSTRAINT resource_issuers_tenant_check CHECK (issuer_tenant_id = tenant_id OR tenant_id = '00000000-0000-0000-0000-000000000000');

-- Words with a fixed meaning.
ALTER TABLE installation ADD CONSTRAINT installation_kind_check CHECK (kind IN ('production', 'demo', 'lab'));
ALTER TABLE issuers ADD CONSTRAINT issuers_kind_check CHECK (kind IN ('tenant', 'front'));
ALTER TABLE signing_keys ADD CONSTRAINT signing_keys_purpose_check CHECK (purpose IN ('tokens', 'notices', 'saml'));
ALTER TABLE signing_keys ADD CONSTRAINT signing_keys_state_check CHECK (state IN ('next', 'active', 'retired', 'compromised'));
ALTER TABLE connections ADD CONSTRAINT connections_kind_check CHECK (kind IN ('saml', 'oidc'));
ALTER TABLE resource_scopes ADD CONSTRAINT resource_scopes_tier_check CHECK (tier IN ('read', 'write', 'sensitive', 'admin'));
ALTER TABLE clients ADD CONSTRAINT clients_kind_check CHECK (kind IN ('metadata_document', 'dynamic', 'preregistered'));
ALTER TABLE clients ADD CONSTRAINT clients_token_endpoint_auth_method_check CHECK (token_endpoint_auth_method IN ('none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'));
ALTER TABLE clients ADD CONSTRAINT clients_application_type_check CHECK (application_type IN ('native', 'web'));
ALTER TABLE authorization_requests ADD CONSTRAINT authorization_requests_step_check CHECK (step IN ('choose_connection', 'client_notice', 'login', 'consent', 'answered'));
ALTER TABLE login_requests ADD CONSTRAINT login_requests_purpose_check CHECK (purpose IN ('login', 'test', 'link', 'enrol'));
ALTER TABLE deprovisioning_events ADD CONSTRAINT deprovisioning_events_target_check CHECK (target IN ('subject', 'grant', 'client', 'connection', 'tenant'));
ALTER TABLE revocations ADD CONSTRAINT revocations_target_check CHECK (target IN ('subject', 'grant', 'client', 'connection', 'tenant'));
ALTER TABLE admin_keys ADD CONSTRAINT admin_keys_marked_check CHECK (marked IN ('lab', 'demo'));
ALTER TABLE installation ADD CONSTRAINT installation_one_row_check CHECK (id = 1);
ALTER TABLE installation ADD CONSTRAINT installation_lab_clock_check CHECK (kind = 'lab' OR lab_clock_offset_ms = 0);
ALTER TABLE tenants ADD CONSTRAINT tenants_slug_check CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$');
ALTER TABLE domains ADD CONSTRAINT domains_domain_check CHECK (domain = lower(domain));

-- Partial indexes: what must be unique, or found, only while it lives.
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (tenant_id, issuer_id, purpose) WHERE state = 'active';
CREATE UNIQUE INDEX scim_users_living_user_name ON scim_users (tenant_id, connection_id, user_name_key) WHERE deleted_at IS NULL;
CREATE INDEX outbox_waiting ON outbox (created_at) WHERE done_at IS NULL;
CREATE INDEX grants_living_by_connection ON grants (tenant_id, connection_id) WHERE revoked_at IS NULL;
CREATE INDEX deprovisioning_events_unswept ON deprovisioning_events (received_at) WHERE swept_at IS NULL;
CREATE INDEX notice_streams_open ON notice_streams (heard_at) WHERE closed_at IS NULL;

-- Row-level security, forced: whoever has no policy sees nothing, the owner of the tables included if ownership ever moves.
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['issuers', 'signing_keys', 'domains', 'connections', 'resources', 'resource_issuers', 'resource_scopes', 'resource_credentials', 'clients', 'policies', 'admin_keys', 'scim_tokens', 'authorization_requests', 'login_requests', 'parked_messages', 'replays', 'browser_sessions', 'grants', 'authorization_codes', 'refresh_tokens', 'subjects', 'scim_users', 'audit_events', 'deprovisioning_events', 'outbox', 'revocations', 'notices', 'notice_streams', 'notice_deliveries'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant_only ON %I TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting(''drawbridge.tenant_id'', true), '''')::uuid)', name);
    EXECUTE format('CREATE POLICY hot ON %I TO drawbridge_hot USING (true)', name);
    EXECUTE format('CREATE POLICY across ON %I TO drawbridge_across USING (true)', name);
    EXECUTE format('CREATE POLICY owner ON %I TO CURRENT_USER USING (true)', name);
  END LOOP;
END
$$;
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON tenants TO drawbridge_tenant USING (id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY hot ON tenants TO drawbridge_hot USING (true);
CREATE POLICY across ON tenants TO drawbridge_across USING (true);
CREATE POLICY owner ON tenants TO CURRENT_USER USING (true);
-- A tenant may read the vendor's shared resources for which its own issuer may mint.
CREATE POLICY shared_with_tenant ON resource_issuers FOR SELECT TO drawbridge_tenant
  USING (issuer_tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY shared_with_tenant ON resources FOR SELECT TO drawbridge_tenant USING (EXISTS (SELECT 1 FROM resource_issuers AS minter
  WHERE minter.tenant_id = resources.tenant_id AND minter.resource_id = resources.id
    AND minter.issuer_tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid));
CREATE POLICY shared_with_tenant ON resource_scopes FOR SELECT TO drawbridge_tenant USING (EXISTS (SELECT 1 FROM resource_issuers AS minter
  WHERE minter.tenant_id = resource_scopes.tenant_id AND minter.resource_id = resource_scopes.resource_id
    AND minter.issuer_tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid));

-- What each role may do. Default is nothing.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO drawbridge_tenant;
REVOKE UPDATE, DELETE ON audit_events, policies FROM drawbridge_tenant;
REVOKE DELETE ON tenants, issuers, deprovisioning_events FROM drawbridge_tenant;
REVOKE INSERT, UPDATE, DELETE ON installation FROM drawbridge_tenant;
-- Absent in the shadow database of `prisma migrate`.
DO $$
BEGIN
  IF to_regclass('_prisma_migrations') IS NOT NULL THEN
    REVOKE ALL ON _prisma_migrations FROM drawbridge_tenant;
  END IF;
END
$$;

GRANT SELECT ON installation, tenants, issuers, signing_keys, connections, clients, subjects, resources, resource_issuers, resource_scopes, resource_credentials,
  scim_tokens, scim_users, policies, domains, deprovisioning_events, revocations, audit_events, outbox, notices, notice_streams TO drawbridge_hot;
GRANT SELECT, INSERT, UPDATE ON authorization_requests, login_requests, browser_sessions, grants, authorization_codes, refresh_tokens TO drawbridge_hot;
GRANT SELECT, INSERT, UPDATE, DELETE ON parked_messages, replays TO drawbridge_hot;
GRANT INSERT ON audit_events, outbox, deprovisioning_events, subjects TO drawbridge_hot;
GRANT UPDATE ON subjects, notice_streams TO drawbridge_hot;
GRANT UPDATE (last_used_at) ON scim_tokens TO drawbridge_hot;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO drawbridge_across;
GRANT INSERT ON installation, audit_events, revocations, notices, notice_deliveries, notice_streams TO drawbridge_across;
GRANT UPDATE (lab_clock_offset_ms) ON installation TO drawbridge_across;
GRANT UPDATE (notice_position) ON resources TO drawbridge_across;
GRANT UPDATE ON outbox, notices, notice_streams, notice_deliveries, deprovisioning_events, revocations TO drawbridge_across;
GRANT DELETE ON authorization_requests, login_requests, parked_messages, replays, browser_sessions, authorization_codes, refresh_tokens, grants,
  outbox, revocations, notices, notice_streams, notice_deliveries TO drawbridge_across;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO drawbridge_tenant, drawbridge_hot, drawbridge_across;

-- Every change of a tenant's configuration raises its version, which hot statements return, and tells whoever listens. The message is a hint.
CREATE FUNCTION raise_configuration_version() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  changed uuid := CASE WHEN TG_OP = 'DELETE' THEN OLD.tenant_id ELSE NEW.tenant_id END;
BEGIN
  UPDATE tenants SET configuration_version = configuration_version + 1 WHERE id = changed;
  PERFORM pg_notify('drawbridge_changes', changed::text);
  RETURN NULL;
END
$$;

-- A shared resource is configuration of every tenant whose issuer may mint for it.
CREATE FUNCTION raise_minters_configuration_version() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  changed record;
  owner_id uuid := CASE WHEN TG_OP = 'DELETE' THEN OLD.tenant_id ELSE NEW.tenant_id END;
  minter uuid;
BEGIN
  IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
  IF TG_TABLE_NAME = 'resource_issuers' THEN
    UPDATE tenants SET configuration_version = configuration_version + 1 WHERE id = changed.issuer_tenant_id AND id <> owner_id;
    PERFORM pg_notify('drawbridge_changes', changed.issuer_tenant_id::text);
    RETURN NULL;
  END IF;
  FOR minter IN SELECT DISTINCT issuer_tenant_id FROM resource_issuers AS m
    WHERE m.tenant_id = owner_id AND m.resource_id = (CASE WHEN TG_TABLE_NAME = 'resources' THEN (to_jsonb(changed) ->> 'id') ELSE (to_jsonb(changed) ->> 'resource_id') END)::uuid
      AND m.issuer_tenant_id <> owner_id
  LOOP
    UPDATE tenants SET configuration_version = configuration_version + 1 WHERE id = minter;
    PERFORM pg_notify('drawbridge_changes', minter::text);
  END LOOP;
  RETURN NULL;
END
$$;

CREATE FUNCTION raise_own_configuration_version() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
  NEW.configuration_version := OLD.configuration_version + 1;
  PERFORM pg_notify('drawbridge_changes', NEW.id::text);
  RETURN NEW;
END
$$;

CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE ON issuers FOR EACH ROW EXECUTE FUNCTION raise_configuration_version();
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE ON signing_keys FOR EACH ROW EXECUTE FUNCTION raise_configuration_version();
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE ON domains FOR EACH ROW EXECUTE FUNCTION raise_configuration_version();
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE ON connections FOR EACH ROW EXECUTE FUNCTION raise_configuration_version();
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE ON resource_issuers FOR EACH ROW EXECUTE FUNCTION raise_configuration_version();
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE ON resource_scopes FOR EACH ROW EXECUTE FUNCTION raise_configuration_version();
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE ON resource_credentials FOR EACH ROW EXECUTE FUNCTION raise_configuration_version();
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE ON policies FOR EACH ROW EXECUTE FUNCTION raise_configuration_version();
CREATE TRIGGER shared_configuration_changed AFTER INSERT OR UPDATE OR DELETE ON resource_issuers FOR EACH ROW EXECUTE FUNCTION raise_minters_configuration_version();
CREATE TRIGGER shared_configuration_changed AFTER INSERT OR UPDATE OR DELETE ON resource_scopes FOR EACH ROW EXECUTE FUNCTION raise_minters_configuration_version();
CREATE TRIGGER configuration_changed AFTER INSERT OR DELETE OR UPDATE OF identifier, name, access_token_ttl_seconds ON resources
  FOR EACH ROW EXECUTE FUNCTION raise_configuration_version(); -- not of notice_position, which every notice raises
CREATE TRIGGER shared_configuration_changed AFTER UPDATE OF identifier, name, access_token_ttl_seconds ON resources
  FOR EACH ROW EXECUTE FUNCTION raise_minters_configuration_version();
CREATE TRIGGER configuration_changed AFTER DELETE OR UPDATE OF name, redirect_uris, grant_types, token_endpoint_auth_method, secret_hash, jwks, pre_approved, scope_ceiling,
  access_token_ttl_seconds, blocked_at ON clients FOR EACH ROW EXECUTE FUNCTION raise_configuration_version(); -- not INSERT: nothing can have cached a client that did not exist
CREATE TRIGGER own_configuration_changed BEFORE UPDATE OF name, policy_version, suspended_at ON tenants
  FOR EACH ROW EXECUTE FUNCTION raise_own_configuration_version();

-- What was written is never changed: the trail, the installation's kind, a slug, an issuer's URL.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% of % is refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION refuse_change('the audit trail is append-only');
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the audit trail is append-only');
CREATE TRIGGER kind_is_fixed BEFORE UPDATE OF id, kind, installation_id, created_at ON installation FOR EACH ROW EXECUTE FUNCTION refuse_change('an installation never changes its kind');
CREATE TRIGGER never_deleted BEFORE DELETE ON installation FOR EACH ROW EXECUTE FUNCTION refuse_change('an installation never changes its kind');
CREATE TRIGGER slug_is_fixed BEFORE UPDATE OF id, slug ON tenants FOR EACH ROW EXECUTE FUNCTION refuse_change('a slug is never reused');
CREATE TRIGGER never_deleted BEFORE DELETE ON tenants FOR EACH ROW EXECUTE FUNCTION refuse_change('a slug is never reused');
CREATE TRIGGER url_is_fixed BEFORE UPDATE OF tenant_id, id, url ON issuers FOR EACH ROW EXECUTE FUNCTION refuse_change('an issuer URL is never reused');

CREATE FUNCTION announce_installation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('drawbridge_changes', 'installation');
  RETURN NULL;
END
$$;
CREATE TRIGGER clock_moved AFTER INSERT OR UPDATE ON installation FOR EACH ROW EXECUTE FUNCTION announce_installation();
