-- Indexes by the column that selects, without the tenant. Every condition names the tenant, so an index that holds it can serve any of them,
-- and as long as a table has no statistics, or was nearly empty when it was seen, that costs the planner the same as the primary key: a
-- rotation that looked for one grant by its id read all grants of the tenant through another index. What does not hold the tenant can serve
-- only its own question, and is smaller. Isolation does not rest on these: keys begin with the tenant, and every condition still holds it.
DROP INDEX "grants_tenant_id_subject_id_idx";
DROP INDEX "grants_tenant_id_client_id_idx";
DROP INDEX "grants_tenant_id_session_id_idx";
DROP INDEX "grants_tenant_id_resource_id_idx";
CREATE INDEX "grants_subject_id_idx" ON "grants" ("subject_id");
CREATE INDEX "grants_client_id_idx" ON "grants" ("client_id");
CREATE INDEX "grants_session_id_idx" ON "grants" ("session_id");
CREATE INDEX "grants_resource_id_idx" ON "grants" ("resource_id");
DROP INDEX "authorization_codes_tenant_id_grant_id_idx";
CREATE INDEX "authorization_codes_grant_id_idx" ON "authorization_codes" ("grant_id");
DROP INDEX "refresh_tokens_tenant_id_grant_id_idx";
CREATE INDEX "refresh_tokens_grant_id_idx" ON "refresh_tokens" ("grant_id");
DROP INDEX "authorization_requests_tenant_id_session_id_idx";
CREATE INDEX "authorization_requests_session_id_idx" ON "authorization_requests" ("session_id");
DROP INDEX "login_requests_tenant_id_authorization_request_id_idx";
CREATE INDEX "login_requests_authorization_request_id_idx" ON "login_requests" ("authorization_request_id");
DROP INDEX "browser_sessions_tenant_id_subject_id_idx";
CREATE INDEX "browser_sessions_subject_id_idx" ON "browser_sessions" ("subject_id");
DROP INDEX "browser_sessions_tenant_id_handle_hash_key";
CREATE UNIQUE INDEX "browser_sessions_handle_hash_key" ON "browser_sessions" ("handle_hash");

-- Without a condition on revoked_at, which made every revocation write all indexes of the grant again.
DROP INDEX "grants_living_by_connection";
CREATE INDEX "grants_connection_id_idx" ON "grants" ("connection_id");

-- Room on the page for the one or two changes of a row's life, so that they touch no index.
ALTER TABLE "grants" SET (fillfactor = 85);
ALTER TABLE "authorization_codes" SET (fillfactor = 70);
ALTER TABLE "refresh_tokens" SET (fillfactor = 70);
