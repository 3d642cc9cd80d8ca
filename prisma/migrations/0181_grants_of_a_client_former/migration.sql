-- In its place is that of 0180.
DROP INDEX "grants_client_id_idx";
