-- Whether a client of an issuer holds something on its barrier or above is one step, however much it holds and however many tenants share it; beside that it serves
-- what grants_client_id_idx served (docs/adr/0122). None of it changes in the life of a grant, and equal ones share their key: no larger, and no dearer to write.
CREATE INDEX "grants_client_id_issuer_id_client_epoch_idx" ON "grants" ("client_id", "issuer_id", "client_epoch");
