-- Whose assertions a tenant accepts at its token endpoint: a connection that no browser is sent to, so that its people, epochs, barriers, tombstones
-- and kills are those of every connection. docs/adr/0070
ALTER TABLE connections DROP CONSTRAINT connections_kind_check;
ALTER TABLE connections ADD CONSTRAINT connections_kind_check CHECK (kind IN ('saml', 'oidc', 'assertion'));

-- An assertion that a key of this installation signed is refused, whoever's key it is: its id is its thumbprint.
CREATE INDEX "signing_keys_id_idx" ON "signing_keys"("id");

-- Whom a trust speaks of, where its people are those of a login connection: what ends there ends here.
CREATE INDEX "connections_people_of" ON "connections" ("tenant_id", (("configuration" -> 'peopleOf' ->> 'connection'))) WHERE "kind" = 'assertion';
