-- A trust in SAML assertions may believe the keys of a login connection: what ends that one ends what was opened by them. docs/adr/0078
CREATE INDEX "connections_keys_of" ON "connections" ("tenant_id", (("configuration" ->> 'keysOf'))) WHERE "kind" = 'assertion';
