-- The sweep deletes in batches; these let its cascades find the few rows that still refer to one, instead of reading whole tables.
-- The role that crosses tenants may delete from these tables since 0002.
CREATE INDEX "authorization_codes_tenant_id_grant_id_idx" ON "authorization_codes" ("tenant_id", "grant_id");
CREATE INDEX "login_requests_tenant_id_authorization_request_id_idx" ON "login_requests" ("tenant_id", "authorization_request_id");
CREATE INDEX "authorization_requests_tenant_id_session_id_idx" ON "authorization_requests" ("tenant_id", "session_id");
CREATE INDEX "grants_tenant_id_session_id_idx" ON "grants" ("tenant_id", "session_id");
